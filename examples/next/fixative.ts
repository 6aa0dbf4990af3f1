/** Runs on the server of Next.js only, so the token stays secret. */
const { FIXATIVE_URL = 'http://127.0.0.1:4000', FIXATIVE_TOKEN = '' } = process.env;

export interface Listed {
  readonly id: string;
  readonly url: string;
  readonly prompt: string;
  readonly width: number;
  readonly height: number;
}

const QUERY = `{ images(first: 20, filter: { status: SUCCESS, visibility: PUBLIC }) {
  nodes { id url prompt width height } } }`;

export async function listImages(): Promise<Listed[]> {
  const response = await fetch(`${FIXATIVE_URL}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${FIXATIVE_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query: QUERY }),
    cache: 'no-store',
  });
  const { data, errors } = (await response.json()) as {
    data?: { images: { nodes: Listed[] } };
    errors?: { message: string }[];
  };
  if (errors || !data)
    throw new Error(errors?.map(({ message }) => message).join('\n') ?? response.statusText);
  return data.images.nodes;
}
