/** Headers of each request to GraphQL: they show that a script of this page sent it (CSRF). */
export const HEADERS = { 'graphql-require-preflight': '1' } as const;
