/** Placeholder that the reader replaces by an id. */
export const ID_PLACEHOLDER = 'an id from the tab Images';

/**
 * The tabs that GraphiQL opens with: one for each main feature. Inputs are written into the documents,
 * because Yoga's GraphiQL does not show the variables of a default tab.
 */
export const GRAPHIQL_TABS: readonly { query: string }[] = [
  {
    query: `# Generate an image. The model "sample" needs no key and no network.
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
    query: `# List images. Filter by user, tool, tags, status, words of the prompt, …
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
    query: `# Read one image, by its id or uuid.
# Put an id in: run the tab Images and copy one from its response.
query Image {
  image(id: "${ID_PLACEHOLDER}") {
    uuid
    status
    prompt
    model
    url
    mimeType
    width
    height
    sha256
    error { code message }
    copies { store state verifiedAt key }
  }
}
`,
  },
  {
    query: `# Receive images when they are made and when they change, until you press stop.
# Run this, then run GenerateImage in another window of the browser.
subscription ImagesUpdated {
  imagesUpdated(filter: { userId: "user123" }) {
    id
    status
    prompt
    url
    updatedAt
    error { code message }
  }
}
`,
  },
  {
    query: `# List the stores with their healthy, missing and corrupt copies.
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
# Delete a file below data/images first to see it restored.
# Put an id in: run the tab Images and copy one from its response.
mutation RestoreImage {
  restoreImage(input: { id: "${ID_PLACEHOLDER}" }) {
    restored { store state bytes }
    source
    userErrors { code message }
  }
}
`,
  },
];
