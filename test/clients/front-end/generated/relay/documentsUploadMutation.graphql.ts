/**
 * @generated SignedSource<<9e75cee5fb62fb702d0d1d87ef61261f>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ConcreteRequest } from 'relay-runtime';
import type { FragmentRefs } from "relay-runtime";
export type ErrorCode = "BAD_REQUEST" | "BYTES_LOST" | "CANCELLED" | "CONFLICT" | "DAMAGED_IMAGE" | "DATABASE_UNAVAILABLE" | "DUPLICATE" | "EMPTY_FILE" | "EXPIRED" | "FORBIDDEN" | "IDENTITY_UNAVAILABLE" | "INTERNAL" | "INTERRUPTED" | "INVALID_CURSOR" | "INVALID_ID" | "INVALID_INPUT" | "LIMIT_REACHED" | "MISMATCH" | "MODEL_UNAVAILABLE" | "NOT_FOUND" | "NO_SPACE" | "OVERLOADED" | "PERSISTED_QUERY_NOT_FOUND" | "PROVIDER_BUSY" | "PROVIDER_FAILED" | "PROVIDER_REFUSED" | "PROVIDER_UNAUTHORIZED" | "QUOTA_EXCEEDED" | "RATE_LIMITED" | "SOURCE_EXPIRED" | "SOURCE_FAILED" | "SOURCE_FORBIDDEN" | "STOPPED" | "STORE_UNAVAILABLE" | "TIMED_OUT" | "TOO_COMPLEX" | "TOO_LARGE" | "UNAUTHENTICATED" | "UNKNOWN_MODEL" | "UNKNOWN_TOOL" | "UNSUPPORTED_BY_MODEL" | "UNSUPPORTED_TYPE" | "UPLOAD_INTERRUPTED" | "%future added value";
export type OnDuplicate = "CREATE" | "ERROR" | "REUSE" | "%future added value";
export type Visibility = "PRIVATE" | "PUBLIC" | "%future added value";
export type UploadImageInput = {
  file: File;
  filename?: string | null | undefined;
  messageId?: string | null | undefined;
  metadata?: unknown | null | undefined;
  model?: string | null | undefined;
  onDuplicate?: OnDuplicate | null | undefined;
  prompt?: string | null | undefined;
  requestId?: string | null | undefined;
  tags?: ReadonlyArray<string> | null | undefined;
  tool?: string | null | undefined;
  userId?: string | null | undefined;
  username?: string | null | undefined;
  visibility?: Visibility | null | undefined;
};
export type documentsUploadMutation$variables = {
  input: UploadImageInput;
};
export type documentsUploadMutation$data = {
  readonly uploadImage: {
    readonly image: {
      readonly id: string;
      readonly " $fragmentSpreads": FragmentRefs<"documentsImage">;
    } | null | undefined;
    readonly userErrors: ReadonlyArray<{
      readonly code: ErrorCode;
    }>;
  } | null | undefined;
};
export type documentsUploadMutation = {
  response: documentsUploadMutation$data;
  variables: documentsUploadMutation$variables;
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
  "name": "id",
  "storageKey": null
},
v3 = {
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
    "name": "documentsUploadMutation",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "UploadImagePayload",
        "kind": "LinkedField",
        "name": "uploadImage",
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
              (v2/*:: as any*/),
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
              (v3/*:: as any*/)
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
    "name": "documentsUploadMutation",
    "selections": [
      {
        "alias": null,
        "args": (v1/*:: as any*/),
        "concreteType": "UploadImagePayload",
        "kind": "LinkedField",
        "name": "uploadImage",
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
              (v2/*:: as any*/),
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
              (v3/*:: as any*/)
            ],
            "storageKey": null
          }
        ],
        "storageKey": null
      }
    ]
  },
  "params": {
    "cacheID": "b81dcca14836a9dee712d5cb71d84b50",
    "id": null,
    "metadata": {},
    "name": "documentsUploadMutation",
    "operationKind": "mutation",
    "text": "mutation documentsUploadMutation(\n  $input: UploadImageInput!\n) {\n  uploadImage(input: $input) {\n    image {\n      id\n      ...documentsImage\n    }\n    userErrors {\n      __typename\n      code\n    }\n  }\n}\n\nfragment documentsImage on Image {\n  id\n  tags\n  status\n  copies {\n    store\n    state\n  }\n}\n"
  }
};
})();

(node as any).hash = "80a839d0e93547c2403142b2fc65915d";

export default node;
