/** Address of the server, and a picture, for the programs of this directory. */
export const url = process.env.FIXATIVE_URL ?? '';
export const graphql = `${url}/graphql`;
export const headers = { authorization: `Bearer ${process.env.FIXATIVE_TOKEN}` };

export const picture = (): File =>
  new File([Buffer.from(process.env.PICTURE ?? '', 'base64')], 'picture.png', { type: 'image/png' });

/** Prints the results of a program for the test that runs it. */
export function report(seen: Record<string, unknown>): void {
  process.stdout.write(JSON.stringify(seen));
}
