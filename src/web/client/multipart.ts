/** A GraphQL request, split into JSON and files (the GraphQL multipart request specification). */
export interface Multipart {
  /** The variables, with null in place of each file. */
  readonly variables: unknown;
  /** Path of each file in the operation, such as `variables.input.file`. */
  readonly map: Readonly<Record<string, readonly string[]>>;
  readonly files: readonly Blob[];
}

/** Takes the files out of the variables of a request. */
export function multipartOf(variables: unknown): Multipart {
  const files: Blob[] = [];
  const map: Record<string, string[]> = {};
  const take = (value: unknown, path: string): unknown => {
    if (value instanceof Blob) {
      map[files.length] = [path];
      files.push(value);
      return null;
    }
    if (Array.isArray(value)) return value.map((each, index) => take(each, `${path}.${index}`));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, take(each, `${path}.${name}`)]),
    );
  };
  return { variables: take(variables, 'variables'), map, files };
}
