import { graphql } from 'relay-runtime';

export const gallery = graphql`
  query documentsGalleryQuery($userId: String!, $count: Int!, $cursor: String) {
    images(filter: { userId: $userId }, first: $count, after: $cursor) {
      edges { node { id prompt ...documentsImage } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;

export const image = graphql`
  fragment documentsImage on Image @refetchable(queryName: "documentsImageRefetchQuery") {
    url
    tags
  }
`;

export const update = graphql`
  mutation documentsUpdateMutation($input: UpdateImageInput!) {
    updateImage(input: $input) { image { ...documentsImage } userErrors { code message } }
  }
`;

export const generate = graphql`
  mutation documentsGenerateMutation($input: GenerateImageInput!) {
    generateImage(input: $input) { images { id } userErrors { code message } }
  }
`;
