import { z } from 'zod';
import { httpUrl, list, type Values } from './values.ts';

/** Whose JSON Web Tokens are taken, and what is read from them. */
export interface JwtConfig {
  readonly keys: { readonly secret: string } | { readonly jwksUrl: string };
  readonly algorithms: readonly string[];
  /** null: whoever has the secret. */
  readonly issuer: string | null;
  /** One of these; empty: any, under a secret. */
  readonly audience: readonly string[];
  readonly userClaim: string;
  readonly scopeClaim: string;
}

/** What a signature may be made by: under a shared secret, or by a key pair. */
const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
const KEY_PAIR_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** The settings of this page, as the environment has them. */
export const JWT_SETTINGS = {
  AUTH_JWKS_URL: httpUrl.optional(),
  AUTH_JWT_SECRET: z
    .string()
    .refine(
      (text) => Buffer.byteLength(text) >= 32,
      'at least 32 bytes; `openssl rand -base64 48` makes a good one',
    )
    .optional(),
  AUTH_JWT_ISSUER: z.string().optional(),
  AUTH_JWT_AUDIENCE: list.default([]),
  AUTH_JWT_ALGORITHMS: list
    .pipe(
      z.array(
        z.enum(
          [...SECRET_ALGORITHMS, ...KEY_PAIR_ALGORITHMS],
          `a list, divided by commas, of: ${[...SECRET_ALGORITHMS, ...KEY_PAIR_ALGORITHMS].join(', ')}`,
        ),
      ),
    )
    .optional(),
  AUTH_JWT_USER_CLAIM: z.string().default('sub'),
  AUTH_JWT_SCOPE_CLAIM: z.string().default('scope'),
} as const;

type JwtValues = Values<typeof JWT_SETTINGS>;

/** null: no JSON Web Tokens are taken. */
export function readJwt(values: JwtValues): JwtConfig | null {
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: jwksUrl } = values;
  const keys = secret !== undefined ? { secret } : jwksUrl !== undefined ? { jwksUrl } : null;
  if (!keys) return null;
  return {
    keys,
    algorithms: values.AUTH_JWT_ALGORITHMS ?? (secret === undefined ? KEY_PAIR_ALGORITHMS : ['HS256']),
    issuer: values.AUTH_JWT_ISSUER ?? null,
    audience: values.AUTH_JWT_AUDIENCE,
    userClaim: values.AUTH_JWT_USER_CLAIM,
    scopeClaim: values.AUTH_JWT_SCOPE_CLAIM,
  };
}

/** A public key that is taken for a secret would let everybody sign, so the two never stand side by side. */
export function faultsOfJwt(values: JwtValues): string[] {
  const { AUTH_JWT_SECRET: secret, AUTH_JWKS_URL: jwksUrl, AUTH_JWT_ALGORITHMS: algorithms } = values;
  if (secret === undefined && jwksUrl === undefined) {
    const { AUTH_JWT_ISSUER: issuer, AUTH_JWT_AUDIENCE: audience } = values;
    if (issuer === undefined && audience.length === 0 && algorithms === undefined) return [];
    return [
      'AUTH_JWKS_URL, AUTH_JWT_SECRET: expected one of them, because other settings of AUTH_JWT are set',
    ];
  }
  if (secret !== undefined && jwksUrl !== undefined)
    return ['AUTH_JWKS_URL, AUTH_JWT_SECRET: expected one of them, not both'];
  const faults: string[] = [];
  const fitting: readonly string[] = secret === undefined ? KEY_PAIR_ALGORITHMS : SECRET_ALGORITHMS;
  if (algorithms?.some((name) => !fitting.includes(name)) || algorithms?.length === 0) {
    const by = secret === undefined ? 'AUTH_JWKS_URL' : 'AUTH_JWT_SECRET';
    faults.push(`AUTH_JWT_ALGORITHMS: expected some of ${fitting.join(', ')}, because ${by} is set`);
  }
  // An identity provider signs for many, and with the same keys.
  if (jwksUrl !== undefined && values.AUTH_JWT_ISSUER === undefined)
    faults.push('AUTH_JWT_ISSUER: expected a value, because AUTH_JWKS_URL is set');
  if (jwksUrl !== undefined && values.AUTH_JWT_AUDIENCE.length === 0)
    faults.push('AUTH_JWT_AUDIENCE: expected a value, because AUTH_JWKS_URL is set');
  return faults;
}
