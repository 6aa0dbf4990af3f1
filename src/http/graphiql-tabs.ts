/**
 * The tabs that GraphiQL opens with: the main way through the house, one step each. Inputs stand in the documents, because Yoga's
 * GraphiQL does not show the variables of a default tab.
 */
export const GRAPHIQL_TABS: readonly { query: string }[] = [
  {
    query: `# Make an image: the model "sample" needs no key and no network.
mutation GenerateImage {
  generateImage(
    input: {
      prompt: "A beautiful sunset over mountains"
      model: "sample"
      size: "512x512"
      userId: "user123"
      tags: ["sunset"]
    }
  ) {
    images {
      id
      status
      url
      error { code message }
      copies { store state }
    }
    userErrors { code message path }
  }
}
`,
  },
  {
    query: `# List images: by user, tool, tags, status, words of the prompt, …
query Images {
  images(first: 20, filter: { userId: "user123", tags: ["sunset"] }) {
    totalCount
    nodes {
      id
      prompt
      status
      tags
      createdAt
      url
      copies { store state verifiedAt }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`,
  },
  {
    query: `# What each store holds, and what is missing or corrupt.
query Stores {
  stores {
    name
    reachable
    copies
    bytes
    missing
    corrupt
    pending
    lastVerifiedAt
  }
}
`,
  },
  {
    query: `# Make every store hold a healthy copy again.
# Take the id from the list; delete a file below data/images first, to see it come back.
mutation RestoreImage {
  restoreImage(input: { id: "" }) {
    restored { store state bytes }
    source
    userErrors { code message }
  }
}
`,
  },
];
