/**
 * @generated SignedSource<<d5b30ec8c035472f2c7ff78495263b47>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
import type { FragmentRefs } from "relay-runtime";
export type ErrorCode = "BAD_REQUEST" | "BYTES_LOST" | "CANCELLED" | "CONFLICT" | "DAMAGED_IMAGE" | "DATABASE_UNAVAILABLE" | "DUPLICATE" | "EMPTY_FILE" | "EXPIRED" | "FORBIDDEN" | "IDENTITY_UNAVAILABLE" | "INTERNAL" | "INTERRUPTED" | "INVALID_CURSOR" | "INVALID_ID" | "INVALID_INPUT" | "LIMIT_REACHED" | "MISMATCH" | "MODEL_UNAVAILABLE" | "NOT_FOUND" | "NO_SPACE" | "OVERLOADED" | "PERSISTED_QUERY_NOT_FOUND" | "PROVIDER_BUSY" | "PROVIDER_FAILED" | "PROVIDER_REFUSED" | "PROVIDER_UNAUTHORIZED" | "QUOTA_EXCEEDED" | "RATE_LIMITED" | "SOURCE_EXPIRED" | "SOURCE_FAILED" | "SOURCE_FORBIDDEN" | "STOPPED" | "STORE_UNAVAILABLE" | "TIMED_OUT" | "TOO_COMPLEX" | "TOO_LARGE" | "UNAUTHENTICATED" | "UNKNOWN_MODEL" | "UNKNOWN_TOOL" | "UNSUPPORTED_BY_MODEL" | "UNSUPPORTED_TYPE" | "UPLOAD_INTERRUPTED" | "%future added value";
export type LimitUnit = "BYTES" | "FRAMES" | "GENERATIONS" | "IMAGES" | "PIXELS" | "SECONDS" | "%future added value";
export type Visibility = "PRIVATE" | "PUBLIC" | "%future added value";
export type UpdateImageInput = {
  addTags?: ReadonlyArray<string> | null | undefined;
  filename?: string | null | undefined;
  id: string;
  mergeMetadata?: unknown | null | undefined;
  metadata?: unknown | null | undefined;
  removeTags?: ReadonlyArray<string> | null | undefined;
  tags?: ReadonlyArray<string> | null | undefined;
  visibility?: Visibility | null | undefined;
};
export type documentsUpdateMutation$variables = {
  input: UpdateImageInput;
};
export type documentsUpdateMutation$data = {
  readonly updateImage: {
    readonly image: {
      readonly " $fragmentSpreads": FragmentRefs<"documentsImage">;
    } | null | undefined;
    readonly userErrors: ReadonlyArray<{
      readonly __typename: string;
      readonly code: ErrorCode;
      readonly limit?: number;
      readonly message: string;
      readonly unit?: LimitUnit;
    }>;
  } | null | undefined;
};
export type documentsUpdateMutation = {
  response: documentsUpdateMutation$data;
  variables: documentsUpdateMutation$variables;
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
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "code",
      "storageKey": null
    },
    {
      "alias": null,
      "args": null,
      "kind": "ScalarField",
      "name": "message",
      "storageKey": null
    },
    {
      "kind": "InlineFragment",
      "selections": [
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "limit",
          "storageKey": null
        },
        {
          "alias": null,
          "args": null,
          "kind": "ScalarField",
          "name": "unit",
          "storageKey": null
        }
      ],
      "type": "TooLargeError",
      "abstractKey": null
    }
  ],
  "storageKey": null
};
return {
  "fragment": {
    "argumentDefinitions": (v0/*:: as any*/),
    "kind": "Fragment",
    "metadata": null,
    "name": "documentsUpdateMutation",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "UpdateImagePayload",
        "kind": "LinkedField",
        "name": "updateImage",
        "plural": false,
        "selections": [
          {
            "alias": null,
            "args": null,
            "concreteType": "Image",
            "kind": "LinkedField",
            "name": "image",
            "plural": false,
            "selections": [
              {
                "args": null,
                "kind": "FragmentSpread",
                "name": "documentsImage"
              }
            ],
            "storageKey": null
          },
          (v2/*:: as any*/)
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
    "name": "documentsUpdateMutation",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "UpdateImagePayload",
        "kind": "LinkedField",
        "name": "updateImage",
        "plural": false,
        "selections": [
          {
            "alias": null,
            "args": null,
            "concreteType": "Image",
            "kind": "LinkedField",
            "name": "image",
            "plural": false,
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
          (v2/*:: as any*/)
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "cacheID": "2081caca8da6b4547d9bf3cad07509d6",
    "id": null,
    "metadata": {},
    "name": "documentsUpdateMutation",
    "operationKind": "mutation",
    "text": "mutation documentsUpdateMutation(\n  $input: UpdateImageInput!\n) {\n  updateImage(input: $input) {\n    image {\n      ...documentsImage\n      id\n    }\n    userErrors {\n      __typename\n      code\n      message\n      ... on TooLargeError {\n        limit\n        unit\n      }\n    }\n  }\n}\n\nfragment documentsImage on Image {\n  id\n  tags\n  status\n  copies {\n    store\n    state\n  }\n}\n"
  }
};
})();

(node as any).hash = "ebd93260f0475a4cb494efda7a9f9000";

export default node;
