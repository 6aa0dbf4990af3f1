/** The server that the programs of this directory talk to, and a picture for them. */
export const url = process.env.FIXATIVE_URL ?? '';
export const graphql = `${url}/graphql`;
export const headers = { authorization: `Bearer ${process.env.FIXATIVE_TOKEN}` };

export const picture = (): File =>
  new File([Buffer.from(process.env.PICTURE ?? '', 'base64')], 'picture.png', { type: 'image/png' });

/** What a program has seen, for the test that runs it. */
export function report(seen: Record<string, unknown>): void {
  process.stdout.write(JSON.stringify(seen));
}
