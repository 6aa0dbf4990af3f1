/** The tabs that GraphiQL opens with: the main way through the house, one step each. */
export const GRAPHIQL_TABS: readonly { query: string; variables?: string }[] = [
  {
    query: `# Make an image. The model "sample" needs no key and no network.
mutation GenerateImage($input: GenerateImageInput!) {
  generateImage(input: $input) {
    images { id status url error { code message } copies { store state } }
    userErrors { code message path }
  }
}
`,
    variables: JSON.stringify(
      {
        input: {
          prompt: 'A beautiful sunset over mountains',
          model: 'sample',
          size: '512x512',
          userId: 'user123',
          tags: ['sunset'],
        },
      },
      null,
      2,
    ),
  },
  {
    query: `# List images: by user, tool, tags, status, words of the prompt, …
query Images($filter: ImageFilter) {
  images(filter: $filter, first: 20) {
    totalCount
    pageInfo { hasNextPage endCursor }
    nodes { id prompt tool status tags createdAt url copies { store state verifiedAt } }
  }
}
`,
    variables: JSON.stringify({ filter: { userId: 'user123' } }, null, 2),
  },
  {
    query: `# What each store holds, and what is missing or corrupt.
query Stores {
  stores { name kind reachable copies bytes missing corrupt pending lastVerifiedAt }
}
`,
  },
  {
    query: `# Make every store hold a healthy copy again. Take the id from the list.
mutation RestoreImage($id: ID!) {
  restoreImage(input: { id: $id }) {
    restored { store state bytes }
    source
    userErrors { code message }
  }
}
`,
    variables: JSON.stringify({ id: '' }, null, 2),
  },
];
