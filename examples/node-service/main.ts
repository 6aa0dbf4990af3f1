import { ask } from './fixative.ts';
import { GenerateDocument, ListDocument } from './generated/graphql.ts';

const userId = 'node-service';
const { generateImage } = await ask(GenerateDocument, {
  input: { prompt: 'a fox in the snow', model: 'sample', size: '64x64', userId },
});
// A refused mutation has `userErrors`; an image that failed has `error`.
for (const { code, message } of generateImage?.userErrors ?? []) console.error(code, message);
const [made] = generateImage?.images ?? [];

/** Walks through all pages of a list. */
async function* listImages() {
  let after: string | null | undefined = null;
  do {
    const { images }: Awaited<ReturnType<typeof page>> = await page(after);
    yield* images.nodes;
    after = images.pageInfo.hasNextPage ? images.pageInfo.endCursor : null;
  } while (after);
}
const page = (after: string | null | undefined) => ask(ListDocument, { userId, first: 50, after });

const prompts: string[] = [];
for await (const { prompt } of listImages()) prompts.push(prompt);
console.log(JSON.stringify({ status: made?.status, url: made?.url, prompts }));
