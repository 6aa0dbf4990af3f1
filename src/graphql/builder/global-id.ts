import { decodeGlobalID, encodeGlobalID } from '@pothos/plugin-relay';

/** Types whose objects `node` finds. */
export const NODE_TYPES = [
  'ApiToken',
  'AuditEntry',
  'Copy',
  'Image',
  'MaintenanceRun',
  'Webhook',
  'WebhookDelivery',
] as const;
export type NodeType = (typeof NODE_TYPES)[number];

export interface GlobalId {
  readonly type: NodeType;
  /** Identifies the object among those of its type. */
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

const isNodeType = (name: string): name is NodeType => NODE_TYPES.some((type) => type === name);
