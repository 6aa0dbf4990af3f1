import { ownerFor, visibleTo } from '../../auth/authorization.ts';
import { atPath } from '../../errors.ts';
import { completeUpload } from '../../image/upload/complete-upload.ts';
import { createUploadTarget, type OpenedTarget } from '../../image/upload/upload-target.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { pictureFields } from '../image/image-input.ts';
import { imagePayload, mutation } from './mutation.ts';

const UploadHeader = builder.objectRef<{ name: string; value: string }>('UploadHeader').implement({
  description: 'A header to send with an upload.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name of the header, such as `Content-Type`.' }),
    value: t.exposeString('value', { description: 'Value of the header, to be sent unchanged.' }),
  }),
});

const UploadTarget = builder.objectRef<OpenedTarget>('UploadTarget').implement({
  description:
    'Where to send the bytes of one image: a request with `method` to `url`, with `headers`, whose body is the file. No token is needed.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'ID of the target, for `completeUpload`.' }),
    url: t.exposeString('url', {
      description:
        'Signed address to send the file to. Anyone who has it can upload, so keep it out of logs.',
    }),
    method: t.string({ description: 'HTTP method of the request: `PUT`.', resolve: () => 'PUT' }),
    headers: t.field({
      type: [UploadHeader],
      description:
        'Headers to send, all of them and unchanged. Content-Length, which HTTP clients add by themselves, must be the announced `bytes`.',
      extensions: { cost: LIST_COST },
      resolve: ({ headers }) => Object.entries(headers).map(([name, value]) => ({ name, value })),
    }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description:
        'When `url` stops accepting bytes. A file that arrived in time can be completed for 15 more minutes.',
    }),
  }),
});

mutation({
  name: 'createUploadTarget',
  scope: 'images:write',
  description:
    'Creates an address to upload one file to, past GraphQL: at S3 if it is a configured store, else at this server. Checks the announced details now; `completeUpload` verifies the file against them. LIMIT_REACHED with 100 open targets of the user.',
  input: {
    description: 'The file that will be uploaded, and the details of its image.',
    fields: (t) => ({
      filename: t.string({ required: true, description: 'Name of the file.' }),
      mimeType: t.string({
        required: true,
        description:
          'Media type of the file: `image/png`, `image/jpeg`, `image/webp`, `image/gif` or `image/avif`. The content must match it.',
      }),
      bytes: t.field({ type: 'BigInt', required: true, description: 'Exact size of the file in bytes.' }),
      sha256: t.string({
        description:
          'SHA-256 of the file, as 64 hexadecimal digits. If given, a file with another hash is refused.',
      }),
      prefix: t.string({
        description: 'Prefix for `Image.filename`, stored as `metadata.prefix`; up to 100 characters.',
      }),
      itemId: t.string({
        description:
          'Your ID of the item, placed after the prefix in `Image.filename` and stored as `metadata.itemId`; up to 100 characters.',
      }),
      ...pictureFields(t, 'uploadImage'),
    }),
  },
  payload: {
    description: 'Payload of `createUploadTarget`.',
    empty: { target: null as OpenedTarget | null },
    fields: (t) => ({
      target: t.expose('target', {
        type: UploadTarget,
        nullable: true,
        description: 'Where to send the file; null if the mutation failed and `userErrors` says why.',
      }),
    }),
  },
  async resolve(input, { services, caller }) {
    return { target: await createUploadTarget(services, input, ownerFor(caller, input)) };
  },
});

mutation({
  name: 'completeUpload',
  scope: 'images:write',
  description:
    'Verifies an uploaded file (size, hash, type, integrity) and stores it, as `uploadImage` does. Completing a target again returns the same image. A file that is refused is deleted, and its target closed. CONFLICT if no file has arrived yet.',
  input: {
    description: 'The target whose file was uploaded.',
    fields: (t) => ({
      target: t.id({ required: true, description: 'ID of the target (`UploadTarget.id`).' }),
    }),
  },
  payload: imagePayload('Payload of `completeUpload`.'),
  async resolve({ target }, { services, caller }) {
    const completed = completeUpload(services, String(target), visibleTo(caller));
    return { image: await atPath(['input', 'target'], completed) };
  },
});
