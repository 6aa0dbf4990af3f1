import { KEY_PAIR_ALGORITHMS, SECRET_ALGORITHMS } from './sections/access.ts';

/** How JSON Web Tokens are verified and what is read from them. */
export interface JwtConfig {
  readonly keys: { readonly secret: string } | { readonly jwksUrl: string };
  readonly algorithms: readonly string[];
  /** Issuer that a token must have; null: any issuer that has the secret. */
  readonly issuer: string | null;
  /** Audiences of which a token must have one; empty: any audience, under a secret. */
  readonly audience: readonly string[];
  readonly userClaim: string;
  readonly scopeClaim: string;
}

/** The AUTH_JWT settings as they were read. */
interface JwtSettings extends Omit<JwtConfig, 'keys' | 'algorithms'> {
  readonly secret: string | null;
  readonly jwksUrl: string | null;
  readonly algorithms: readonly string[] | null;
}

/** Returns null when no JSON Web Tokens are accepted. */
export function readJwt({ secret, jwksUrl, algorithms, ...settings }: JwtSettings): JwtConfig | null {
  const keys = secret !== null ? { secret } : jwksUrl !== null ? { jwksUrl } : null;
  if (!keys) return null;
  return { keys, algorithms: algorithms ?? (secret === null ? KEY_PAIR_ALGORITHMS : ['HS256']), ...settings };
}

/** Rejects a secret beside public keys: a public key taken for the secret would let everybody sign tokens. */
export function faultsOfJwt({ secret, jwksUrl, issuer, audience, algorithms }: JwtSettings): string[] {
  if (secret === null && jwksUrl === null) {
    if (issuer === null && audience.length === 0 && algorithms === null) return [];
    return [
      'AUTH_JWKS_URL, AUTH_JWT_SECRET: expected one of them, because other settings of AUTH_JWT are set',
    ];
  }
  if (secret !== null && jwksUrl !== null)
    return ['AUTH_JWKS_URL, AUTH_JWT_SECRET: expected one of them, not both'];
  const faults: string[] = [];
  const fitting: readonly string[] = secret === null ? KEY_PAIR_ALGORITHMS : SECRET_ALGORITHMS;
  if (algorithms?.some((name) => !fitting.includes(name)) || algorithms?.length === 0) {
    const by = secret === null ? 'AUTH_JWKS_URL' : 'AUTH_JWT_SECRET';
    faults.push(`AUTH_JWT_ALGORITHMS: expected some of ${fitting.join(', ')}, because ${by} is set`);
  }
  // An identity provider signs tokens for many services with the same keys.
  if (jwksUrl !== null && issuer === null)
    faults.push('AUTH_JWT_ISSUER: expected a value, because AUTH_JWKS_URL is set');
  if (jwksUrl !== null && audience.length === 0)
    faults.push('AUTH_JWT_AUDIENCE: expected a value, because AUTH_JWKS_URL is set');
  return faults;
}
