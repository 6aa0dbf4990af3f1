import type { AuditAction, AuditSubjectType } from '../generated/graphql.ts';

const verbs: Readonly<Record<AuditAction, string>> = {
  IMAGE_GENERATE: 'requested the generation of',
  IMAGE_UPLOAD: 'uploaded',
  IMAGE_IMPORT: 'imported',
  IMAGE_RECORD: 'recorded',
  IMAGE_REGENERATE: 'requested again the generation of',
  IMAGE_CANCEL: 'cancelled the generation of',
  IMAGE_UPDATE: 'changed',
  IMAGE_DELETE: 'moved to the trash',
  IMAGE_UNDELETE: 'took out of the trash',
  IMAGE_PURGE: 'deleted permanently',
  IMAGE_RESTORE: 'restored copies of',
  UPLOAD_CREATE: 'created',
  TOKEN_CREATE: 'created',
  TOKEN_REVOKE: 'revoked',
  WEBHOOK_CREATE: 'created',
  WEBHOOK_UPDATE: 'changed',
  WEBHOOK_DELETE: 'deleted',
  WEBHOOK_ROTATE: 'replaced the secret of',
  WEBHOOK_REPLAY: 'repeated deliveries of',
  WEBHOOK_TEST: 'sent a test to',
  RUN_START: 'started',
  RUN_CANCEL: 'cancelled',
};

const subjects: Readonly<Record<AuditSubjectType, string>> = {
  IMAGE: 'image',
  UPLOAD: 'upload target',
  TOKEN: 'token',
  RUN: 'run',
  WEBHOOK: 'webhook',
};

/** Texts of the page of the audit log. */
export const audit = {
  caption: 'Changes',
  intro: 'Who changed which image, token or run, newest first.',
  columns: { when: 'When', who: 'Who', what: 'What', details: 'Details' },
  actor: 'Who',
  actorHint: 'Name of a token, user or job, exactly.',
  subject: 'Image, token or run',
  subjectHint: 'Its ID, exactly.',
  action: 'What',
  everything: 'Everything',
  from: 'From',
  to: 'To',
  apply: 'Show',
  clear: 'Clear',
  older: 'Show older changes',
  empty: 'No changes match',
  emptyHint: 'Change the conditions above. Old entries are deleted after the time that the operator has set.',
  notAllowed: 'Only an administrator can see the audit log',
  notAllowedHint: 'Log in with a token that has the permission ADMIN.',
  verbs,
  subjects,
  kinds: { ROOT: 'root token', TOKEN: 'token', JWT: 'user', COMMAND: 'command', JOB: 'server' },
} as const;
