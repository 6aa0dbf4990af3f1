import type { ActorKind as ActorKindName } from '../../audit/actor.ts';
import { AUDIT_ACTIONS, type AuditAction, type SubjectType } from '../../audit/audit.ts';
import { auditWhere } from '../../audit/find-entries.ts';
import { InputError } from '../../errors.ts';
import { parseUuid } from '../../image/image.ts';
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, requirePageSize } from '../../image/list/list.ts';
import { isPolicyName } from '../../image/retention/policy.ts';
import { builder } from '../builder/builder.ts';
import { decodeId, encodeId } from '../builder/global-id.ts';
import { Image } from '../image/image.ts';

const upper = (text: string) => text.replaceAll('.', '_').toUpperCase();

const ActorKind = builder.enumType('ActorKind', {
  description: 'How an actor was recognized.',
  values: {
    ROOT: { value: 'root', description: 'A client with the root token, or a session that it opened.' },
    TOKEN: { value: 'token', description: 'A client with an API token; the name is that of the token.' },
    JWT: { value: 'jwt', description: 'A client with a JSON Web Token; the name is its user.' },
    COMMAND: {
      value: 'command',
      description: 'A command; the name is the user of the operating system who called it.',
    },
    JOB: { value: 'job', description: 'The server itself; the name is that of the job.' },
  } as const satisfies Record<string, { value: ActorKindName; description: string }>,
});

const AuditActionType = builder.enumType('AuditAction', {
  description: 'A change that the audit log records.',
  values: Object.fromEntries(
    Object.entries(AUDIT_ACTIONS).map(([action, verb]) => [
      upper(action),
      { value: action as AuditAction, description: `The actor ${verb} the subject.` },
    ]),
  ),
});

const SubjectTypeEnum = builder.enumType('AuditSubjectType', {
  description: 'Type of what was changed.',
  values: {
    IMAGE: { value: 'image', description: 'An image.' },
    UPLOAD: { value: 'upload', description: 'An upload target.' },
    TOKEN: { value: 'token', description: 'An API token.' },
    RUN: { value: 'run', description: 'A maintenance run.' },
    POLICY: { value: 'policy', description: 'A retention policy.' },
    WEBHOOK: { value: 'webhook', description: 'A webhook.' },
    BACKUP: { value: 'backup', description: 'A backup of the embedded database.' },
  } as const satisfies Record<string, { value: SubjectType; description: string }>,
});

export const AuditEntry = builder.prismaObject('AuditEntry', {
  description: 'A change, and who made it.',
  select: { id: true },
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description: 'Globally unique ID; it never changes.',
      resolve: ({ id }) => encodeId({ type: 'AuditEntry', key: String(id) }),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the change was made.' }),
    actorKind: t.field({
      type: ActorKind,
      description: 'How the actor was recognized.',
      select: { actorKind: true },
      resolve: ({ actorKind }) => actorKind as ActorKindName,
    }),
    actorName: t.exposeString('actorName', {
      description: 'Name of the token, user, or job that made the change.',
    }),
    action: t.field({
      type: AuditActionType,
      description: 'The change that was made.',
      select: { action: true },
      resolve: ({ action }) => action as AuditAction,
    }),
    subjectType: t.field({
      type: SubjectTypeEnum,
      description: 'Type of what was changed.',
      select: { subjectType: true },
      resolve: ({ subjectType }) => subjectType as SubjectType,
    }),
    subjectId: t.exposeString('subjectId', {
      description: 'UUID of what was changed, or the name of a policy. It may be gone since.',
    }),
    image: t.field({
      type: Image,
      nullable: true,
      description: 'The image that was changed; null for another subject, and for an image that was purged.',
      select: { subjectType: true, subjectId: true },
      resolve: ({ subjectType, subjectId }, _args, { loaders }) =>
        subjectType === 'image' ? loaders.imageByUuid.load(subjectId) : null,
    }),
    details: t.expose('details', {
      type: 'JSON',
      nullable: true,
      description:
        'Changed values, in a form of the action: `fields` of an update, `images` of a deletion with its parts, `name` and `scopes` of a token; null: nothing more is known.',
    }),
  }),
});

const AuditFilterInput = builder.inputType('AuditFilter', {
  description: 'Conditions for entries of the audit log. An entry must match all given fields.',
  fields: (t) => ({
    actor: t.string({ description: 'Name of the actor, exactly.' }),
    actorKind: t.field({ type: ActorKind, description: 'How the actor was recognized.' }),
    actions: t.field({ type: [AuditActionType], description: 'Actions, one of which the entry must have.' }),
    subject: t.id({
      description:
        'ID of an image, API token or run, the UUID of an image, token, upload target or run, or the name of a retention policy. INVALID_ID for anything else.',
    }),
    after: t.field({ type: 'DateTime', description: 'Return changes made at this time or later.' }),
    before: t.field({ type: 'DateTime', description: 'Return changes made before this time.' }),
  }),
});

/** @throws InputError INVALID_ID */
function parseSubject(text: string): string {
  const key = parseUuid(text) ?? parseUuid(decodeId(text)?.key ?? '');
  if (key) return key;
  if (isPolicyName(text)) return text;
  const given = JSON.stringify(text.slice(0, 100));
  const message = `${given} is not the id of an image, token, upload target or run, nor the name of a policy. Use its \`id\`, UUID or name.`;
  throw new InputError('INVALID_ID', message, { path: ['filter', 'subject'] });
}

builder.queryField('auditLog', (t) =>
  t.prismaConnection(
    {
      type: AuditEntry,
      cursor: 'id',
      defaultSize: DEFAULT_PAGE_SIZE,
      maxSize: MAX_PAGE_SIZE,
      description: 'Returns a page of the audit log, newest first. Entries are kept for AUDIT_DAYS.',
      extensions: { scope: 'admin' },
      args: {
        filter: t.arg({ type: AuditFilterInput, description: 'Which entries. Default: all entries.' }),
      },
      resolve: (query, _root, { filter, first, last }, { services }) => {
        if (first != null) requirePageSize(first, 'first');
        if (last != null) requirePageSize(last, 'last');
        const { subject, ...rest } = filter ?? {};
        const where = auditWhere({
          ...rest,
          subject: subject == null ? null : parseSubject(String(subject)),
        });
        return services.database.prismaTransaction((transaction) =>
          transaction.auditEntry.findMany({ ...query, where, orderBy: { id: 'desc' } }),
        );
      },
    },
    {
      name: 'AuditConnection',
      description: 'A page of the audit log (https://relay.dev/graphql/connections.htm).',
    },
    {
      name: 'AuditEdge',
      description: 'An entry of a page, with its cursor.',
    },
  ),
);
