import type { Database } from '../database/database.ts';
import type { Prisma } from '../database/generated/client/client.ts';
import type { ActorKind } from './actor.ts';
import { AUDIT_ACTIONS, type AuditAction } from './audit.ts';

/** Conditions for entries. An entry must match all that are given. */
export interface AuditFilter {
  readonly actor?: string | null | undefined;
  readonly actorKind?: ActorKind | null | undefined;
  readonly actions?: readonly AuditAction[] | null | undefined;
  /** UUID of an image, token, upload target or run. */
  readonly subject?: string | null | undefined;
  readonly after?: Date | null | undefined;
  readonly before?: Date | null | undefined;
}

/** A row of `audit_entries`. */
export type AuditEntryRow = Prisma.AuditEntryGetPayload<object>;

const PAGE = 500;
/** A newer server beside this one may record others, which this version cannot name. */
const KNOWN_ACTIONS = Object.keys(AUDIT_ACTIONS);

/** Returns the conditions as Prisma writes them. */
export function auditWhere(filter: AuditFilter): Prisma.AuditEntryWhereInput {
  const { actor, actorKind, actions, subject, after, before } = filter;
  return {
    ...(actor == null ? {} : { actorName: actor }),
    ...(actorKind == null ? {} : { actorKind }),
    action: { in: [...(actions ?? KNOWN_ACTIONS)] },
    ...(subject == null ? {} : { subjectId: subject }),
    ...(after == null && before == null
      ? {}
      : { createdAt: { ...(after ? { gte: after } : {}), ...(before ? { lt: before } : {}) } }),
  };
}

/** Returns the id of an entry; null: there is none. Prisma reads the columns that a document selects. */
export async function findAuditEntry(
  { prisma }: Pick<Database, 'prisma'>,
  id: bigint,
): Promise<{ readonly id: bigint } | null> {
  return prisma.auditEntry.findUnique({ where: { id }, select: { id: true } });
}

/** Yields entries that match, newest first, at most `limit`. */
export async function* findAuditEntries(
  { prisma }: Pick<Database, 'prisma'>,
  filter: AuditFilter,
  limit: number,
): AsyncGenerator<AuditEntryRow> {
  const where = auditWhere(filter);
  let last: bigint | null = null;
  for (let left = limit; left > 0; ) {
    const page: AuditEntryRow[] = await prisma.auditEntry.findMany({
      where: last === null ? where : { AND: [where, { id: { lt: last } }] },
      orderBy: { id: 'desc' },
      take: Math.min(left, PAGE),
    });
    yield* page;
    left -= page.length;
    if (page.length < PAGE) return;
    last = page.at(-1)?.id ?? null;
  }
}
