import { decodeGlobalID, encodeGlobalID } from '@pothos/plugin-relay';
import { NEEDED_SCOPES } from '../../auth/authorization.ts';

/** The types whose objects `node` finds. */
export type NodeType = keyof typeof NEEDED_SCOPES.Node;

export interface GlobalId {
  readonly type: NodeType;
  /** What identifies the object among those of its type. */
  readonly key: string;
}

export const encodeId = ({ type, key }: GlobalId): string => encodeGlobalID(type, key);

/** Returns null for text that is not a global id of one of these types. */
export function decodeId(id: string): GlobalId | null {
  try {
    const { typename, id: key } = decodeGlobalID(id);
    return isNodeType(typename) ? { type: typename, key } : null;
  } catch {
    return null;
  }
}

const isNodeType = (name: string): name is NodeType => Object.hasOwn(NEEDED_SCOPES.Node, name);
