/**
 * Reads a header such as Accept into its values, in lower case, with their weights from 0 to 1 (RFC 9110,
 * 12.4.2).
 */
export function weightsOf(header: string | undefined): ReadonlyMap<string, number> {
  return new Map(
    (header ?? '').split(',').map((each) => {
      const [name = '', ...parameters] = each
        .trim()
        .toLowerCase()
        .split(/\s*;\s*/);
      const weight = parameters.find((parameter) => parameter.startsWith('q='));
      return [name, weight === undefined ? 1 : Number(weight.slice(2))] as const;
    }),
  );
}

/** Codings of responses (RFC 9110, 12.5.3) that this server makes. */
export type Coding = 'br' | 'gzip';
