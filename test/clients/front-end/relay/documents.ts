/**
 * Documents for Relay's compiler: connections, a fragment that is refetched by `node`, a mutation and a
 * subscription.
 */
import { graphql } from 'relay-runtime';

export const gallery = graphql`
  query documentsGalleryQuery($userId: String!) {
    ...documentsGallery @arguments(userId: $userId)
    stores { name copies }
    models { id provider }
  }
`;

export const galleryList = graphql`
  fragment documentsGallery on Query
  @argumentDefinitions(
    userId: { type: "String!" }
    count: { type: "Int", defaultValue: 2 }
    cursor: { type: "String" }
  )
  @refetchable(queryName: "documentsGalleryPageQuery") {
    images(filter: { userId: $userId }, first: $count, after: $cursor) @connection(key: "documents_images") {
      edges { node { ...documentsImage } }
      totalCount
    }
  }
`;

export const image = graphql`
  fragment documentsImage on Image @refetchable(queryName: "documentsImageRefetchQuery") {
    id
    tags
    status
    copies { id store state }
  }
`;

export const update = graphql`
  mutation documentsUpdateMutation($input: UpdateImageInput!) {
    updateImage(input: $input) {
      image { ...documentsImage }
      userErrors { __typename code message ... on TooLargeError { limit unit } }
    }
  }
`;

export const generate = graphql`
  mutation documentsGenerateMutation($input: GenerateImageInput!) {
    generateImage(input: $input) { images { ...documentsImage } userErrors { code } }
  }
`;

export const upload = graphql`
  mutation documentsUploadMutation($input: UploadImageInput!) {
    uploadImage(input: $input) { image { id ...documentsImage } userErrors { code } }
  }
`;

export const updated = graphql`
  subscription documentsUpdatedSubscription($id: ID!) {
    imageUpdated(id: $id) { ...documentsImage }
  }
`;
