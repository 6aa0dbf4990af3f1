/**
 * @generated SignedSource<<2a1d67d515ea9a76cf6f9a3bbf017846>>
 * @lightSyntaxTransform
 */

/* tslint:disable */
/* eslint-disable */
// @ts-nocheck

import type { ReaderFragment } from 'relay-runtime';
export type CopyState = "CORRUPT" | "MISSING" | "PENDING" | "STORED" | "TOO_LARGE" | "%future added value";
export type ImageStatus = "FAILED" | "PENDING" | "PROCESSING" | "SUCCESS" | "%future added value";
import type { FragmentRefs } from "relay-runtime";
export type documentsImage$data = {
  readonly copies: ReadonlyArray<{
    readonly state: CopyState;
    readonly store: string;
  }>;
  readonly id: string;
  readonly status: ImageStatus;
  readonly tags: ReadonlyArray<string>;
  readonly " $fragmentType": "documentsImage";
};
export type documentsImage$key = {
  readonly " $data"?: documentsImage$data;
  readonly " $fragmentSpreads": FragmentRefs<"documentsImage">;
};

import documentsImageRefetchQuery_graphql from './documentsImageRefetchQuery.graphql';

const node: ReaderFragment = {
  "argumentDefinitions": [],
  "kind": "Fragment",
  "metadata": {
    "refetch": {
      "connection": null,
      "fragmentPathInResult": [
        "node"
      ],
      "operation": documentsImageRefetchQuery_graphql,
      "identifierInfo": {
        "identifierField": "id",
        "identifierQueryVariableName": "id"
      }
    }
  },
  "name": "documentsImage",
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
  "type": "Image",
  "abstractKey": null
};

(node as any).hash = "c178e44728f42e4a0b1ba341633eafe6";

export default node;
