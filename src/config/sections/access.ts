import { z } from 'zod';
import { httpUrl, list, origins, wholeNumber } from '../parsers.ts';
import type { Section } from '../setting.ts';

export const TOKENS = {
  title: 'Root token and signing keys',
  settings: {
    FIXATIVE_ROOT_TOKEN: {
      property: 'rootToken',
      parser: z
        .string()
        .regex(
          /^[\x21-\x7e]{16,}$/,
          'at least 16 characters without spaces; `openssl rand -base64 32` makes a good one',
        )
        .describe('At least 16 visible ASCII characters'),
      defaultText: 'a token that the first start makes and keeps in DATA_DIR/root-token (mode 0600)',
      secret: 'value',
      description: 'Token that is allowed to do everything.',
    },
    SIGNING_KEYS: {
      property: 'signingKeys',
      parser: z
        .string()
        .transform((text) => text.split(',').map((key) => key.trim()))
        .refine(
          (keys) => keys.every((key) => /^[\x21-\x7e]{16,}$/.test(key)),
          'a list, separated by commas, of keys of at least 16 characters without spaces',
        )
        .describe('A list, separated by commas, of keys of at least 16 characters'),
      defaultText: 'a key that the first start makes and keeps in DATA_DIR/signing-key (mode 0600)',
      secret: 'value',
      description:
        'Keys for the signed URLs that the server gives out for uploads and private images. The first key signs, and all keys verify, so that a key can be replaced.',
    },
  },
} as const satisfies Section;

/** Signature algorithms for a shared secret, and for a pair of keys. */
export const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const;
export const KEY_PAIR_ALGORITHMS = [
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
const ALGORITHMS = `${[...SECRET_ALGORITHMS, ...KEY_PAIR_ALGORITHMS].join(', ')}`;

export const JWT = {
  title: 'JSON Web Tokens of an identity provider',
  about: [
    'Each token acts for its user; docs/security.md says how. Set AUTH_JWKS_URL with AUTH_JWT_ISSUER and AUTH_JWT_AUDIENCE, or set AUTH_JWT_SECRET. Not set: no JSON Web Tokens are accepted.',
  ],
  settings: {
    AUTH_JWKS_URL: {
      property: 'jwt.jwksUrl',
      parser: httpUrl,
      example: 'https://login.example.com/.well-known/jwks.json',
      description: 'URL of the public keys of the identity provider.',
    },
    AUTH_JWT_SECRET: {
      property: 'jwt.secret',
      parser: z
        .string()
        .refine(
          (text) => Buffer.byteLength(text) >= 32,
          'at least 32 bytes; `openssl rand -base64 48` makes a good one',
        )
        .describe('At least 32 bytes'),
      secret: 'value',
      description: 'Secret that the identity provider and this server share.',
    },
    AUTH_JWT_ISSUER: {
      property: 'jwt.issuer',
      parser: z.string(),
      defaultText: 'any issuer, with a secret',
      example: 'https://login.example.com/',
      description: 'Issuer (`iss`) that a token must have.',
    },
    AUTH_JWT_AUDIENCE: {
      property: 'jwt.audience',
      parser: list.describe('A list, separated by commas'),
      default: '',
      defaultText: 'any audience, with a secret',
      example: 'fixative',
      description: 'Audiences (`aud`) of which a token must have one.',
    },
    AUTH_JWT_ALGORITHMS: {
      property: 'jwt.algorithms',
      parser: list
        .pipe(
          z.array(
            z.enum(
              [...SECRET_ALGORITHMS, ...KEY_PAIR_ALGORITHMS],
              `a list, separated by commas, of: ${ALGORITHMS}`,
            ),
          ),
        )
        .describe(`A list, separated by commas, of ${ALGORITHMS}`),
      defaultText: 'all RS, PS, ES and EdDSA algorithms with public keys; HS256 with a secret',
      description: 'Signature algorithms that are accepted.',
    },
    AUTH_JWT_USER_CLAIM: {
      property: 'jwt.userClaim',
      parser: z.string(),
      default: 'sub',
      description: 'Claim that holds the user id, up to 255 characters. A name, or a path with dots.',
    },
    AUTH_JWT_SCOPE_CLAIM: {
      property: 'jwt.scopeClaim',
      parser: z.string(),
      default: 'scope',
      description:
        'Claim that holds the scopes: images:read, images:write, images:generate, stores:read, admin. A name, or a path such as realm_access.roles. A token without the claim has all scopes of images.',
    },
  },
} as const satisfies Section;

export const VISIBILITY = {
  title: 'Visibility and other origins',
  settings: {
    DEFAULT_VISIBILITY: {
      property: 'defaultVisibility',
      parser: z.enum(['public', 'private'], 'public or private').describe('One of public, private'),
      default: 'public',
      description:
        'Visibility of new images that name none. The bytes of a public image are open to every client that knows its URL. The bytes of a private image need a token that may see the image, or a signed URL (docs/variants.md).',
    },
    SIGNED_URL_MAX_SECONDS: {
      property: 'signedUrlMaxSeconds',
      parser: wholeNumber(60, 604_800),
      default: '604800',
      description: 'Most seconds that a signed URL of an image may be valid.',
    },
    CORS_ORIGINS: {
      property: 'corsOrigins',
      parser: origins.describe('A list, separated by commas, or *, or none'),
      default: '*',
      description:
        'Origins whose scripts may use /graphql, /api, /uploads and the bytes of images: https://app.example.com, or https://*.example.com for all its subdomains. The scripts send a token; a session of GraphiQL is valid for pages of this server only. Listed origins may send credentials; with * browsers send none (docs/clients.md).',
    },
    HOTLINK_ALLOW: {
      property: 'hotlinkAllow',
      parser: list
        .transform((entries) => entries.map((entry) => entry.toLowerCase()))
        .refine(
          (entries) => entries.every((entry) => /^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(entry)),
          'hosts such as example.com or *.example.com, separated by commas',
        )
        .describe('A list, separated by commas'),
      default: '',
      defaultText: 'all hosts',
      description:
        'Hosts whose pages may show public images: example.com, or *.example.com for all its subdomains.',
    },
  },
} as const satisfies Section;
