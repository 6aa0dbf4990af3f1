/**
 * @generated SignedSource<<4d1fec5d6bb3fe2538c0cc0656e9387b>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
import type { FragmentRefs } from "relay-runtime";
export type Background = "TRANSPARENT" | "%future added value";
export type ErrorCode = "BAD_REQUEST" | "BYTES_LOST" | "CANCELLED" | "CONFLICT" | "DAMAGED_IMAGE" | "DATABASE_UNAVAILABLE" | "DUPLICATE" | "EMPTY_FILE" | "EXPIRED" | "FORBIDDEN" | "IDENTITY_UNAVAILABLE" | "INTERNAL" | "INTERRUPTED" | "INVALID_CURSOR" | "INVALID_ID" | "INVALID_INPUT" | "LIMIT_REACHED" | "MISMATCH" | "MODEL_UNAVAILABLE" | "NOT_FOUND" | "NO_SPACE" | "OVERLOADED" | "PERSISTED_QUERY_NOT_FOUND" | "PROVIDER_BUSY" | "PROVIDER_FAILED" | "PROVIDER_REFUSED" | "PROVIDER_UNAUTHORIZED" | "QUOTA_EXCEEDED" | "RATE_LIMITED" | "SOURCE_EXPIRED" | "SOURCE_FAILED" | "SOURCE_FORBIDDEN" | "STOPPED" | "STORE_UNAVAILABLE" | "TIMED_OUT" | "TOO_COMPLEX" | "TOO_LARGE" | "UNAUTHENTICATED" | "UNKNOWN_MODEL" | "UNKNOWN_TOOL" | "UNSUPPORTED_BY_MODEL" | "UNSUPPORTED_TYPE" | "UPLOAD_INTERRUPTED" | "%future added value";
export type PictureFormat = "JPEG" | "PNG" | "WEBP" | "%future added value";
export type Visibility = "PRIVATE" | "PUBLIC" | "%future added value";
export type GenerateImageInput = {
  background?: Background | null | undefined;
  character?: string | null | undefined;
  chart?: unknown | null | undefined;
  format?: PictureFormat | null | undefined;
  mask?: PictureSourceInput | null | undefined;
  messageId?: string | null | undefined;
  metadata?: unknown | null | undefined;
  model?: string | null | undefined;
  n?: number | null | undefined;
  pages?: ReadonlyArray<string> | null | undefined;
  panels?: ReadonlyArray<string> | null | undefined;
  parentId?: string | null | undefined;
  prompt?: string | null | undefined;
  quality?: string | null | undefined;
  references?: ReadonlyArray<PictureSourceInput> | null | undefined;
  requestId?: string | null | undefined;
  scheduledFor?: string | null | undefined;
  seed?: number | null | undefined;
  size?: string | null | undefined;
  style?: string | null | undefined;
  tags?: ReadonlyArray<string> | null | undefined;
  tool?: string | null | undefined;
  userId?: string | null | undefined;
  username?: string | null | undefined;
  visibility?: Visibility | null | undefined;
  waitSeconds?: number | null | undefined;
};
export type PictureSourceInput = {
  file: File;
  id?: never;
} | {
  file?: never;
  id: string;
};
export type documentsGenerateMutation$variables = {
  input: GenerateImageInput;
};
export type documentsGenerateMutation$data = {
  readonly generateImage: {
    readonly images: ReadonlyArray<{
      readonly " $fragmentSpreads": FragmentRefs<"documentsImage">;
    }>;
    readonly userErrors: ReadonlyArray<{
      readonly code: ErrorCode;
    }>;
  } | null | undefined;
};
export type documentsGenerateMutation = {
  response: documentsGenerateMutation$data;
  variables: documentsGenerateMutation$variables;
};

const node: ConcreteRequest = (function(){
var v0 = [
  {
    "defaultValue": null,
    "kind": "LocalArgument",
    "name": "input"
  }
],
v1 = [
  {
    "kind": "Variable",
    "name": "input",
    "variableName": "input"
  }
],
v2 = {
  "alias": null,
  "args": null,
  "kind": "ScalarField",
  "name": "code",
  "storageKey": null
};
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "documentsGenerateMutation",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "GenerateImagePayload",
        "kind": "LinkedField",
        "name": "generateImage",
        "plural": false,
        "selections": [
          {
            "alias": null,
            "args": null,
            "concreteType": "Image",
            "kind": "LinkedField",
            "name": "images",
            "plural": true,
            "selections": [
              {
                "args": null,
                "kind": "FragmentSpread",
                "name": "documentsImage"
              }
            ],
            "storageKey": null
          },
          {
            "alias": null,
            "args": null,
            "concreteType": null,
            "kind": "LinkedField",
            "name": "userErrors",
            "plural": true,
            "selections": [
              (v2/*:: as any*/)
            ],
            "storageKey": null
          }
        ],
        "storageKey": null
      }
    ],
    "type": "Mutation",
    "abstractKey": null
  },
  "kind": "Request",
  "operation": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Operation",
    "name": "documentsGenerateMutation",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "GenerateImagePayload",
        "kind": "LinkedField",
        "name": "generateImage",
        "plural": false,
        "selections": [
          {
            "alias": null,
            "args": null,
            "concreteType": "Image",
            "kind": "LinkedField",
            "name": "images",
            "plural": true,
            "selections": [
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "id",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "tags",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "status",
                "storageKey": null
              },
              {
                "alias": null,
                "args": null,
                "concreteType": "Copy",
                "kind": "LinkedField",
                "name": "copies",
                "plural": true,
                "selections": [
                  {
                    "alias": null,
                    "args": null,
                    "kind": "ScalarField",
                    "name": "store",
                    "storageKey": null
                  },
                  {
                    "alias": null,
                    "args": null,
                    "kind": "ScalarField",
                    "name": "state",
                    "storageKey": null
                  }
                ],
                "storageKey": null
              }
            ],
            "storageKey": null
          },
          {
            "alias": null,
            "args": null,
            "concreteType": null,
            "kind": "LinkedField",
            "name": "userErrors",
            "plural": true,
            "selections": [
              {
                "alias": null,
                "args": null,
                "kind": "ScalarField",
                "name": "__typename",
                "storageKey": null
              },
              (v2/*:: as any*/)
            ],
            "storageKey": null
          }
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "cacheID": "88241f824e6289522c21193c64aabf4f",
    "id": null,
    "metadata": {},
    "name": "documentsGenerateMutation",
    "operationKind": "mutation",
    "text": "mutation documentsGenerateMutation(\n  $input: GenerateImageInput!\n) {\n  generateImage(input: $input) {\n    images {\n      ...documentsImage\n      id\n    }\n    userErrors {\n      __typename\n      code\n    }\n  }\n}\n\nfragment documentsImage on Image {\n  id\n  tags\n  status\n  copies {\n    store\n    state\n  }\n}\n"
  }
};
})();

(node as any).hash = "a81f24fac2d94b6e3df10a0543562765";

export default node;
