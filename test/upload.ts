import { print } from 'graphql';
import { FormData } from 'undici';
import {
  GenerateImageDocument,
  type GenerateImageInput,
  type GenerateImageMutation,
  UploadImageDocument,
  type UploadImageMutation,
} from './generated/graphql.ts';
import type { Succeeded, TestApp } from './harness.ts';

export interface TestFile {
  readonly content: Uint8Array | string;
  readonly name?: string;
  readonly type?: string;
}

/** Uploads a file as a browser does, by the GraphQL multipart request specification. */
export async function upload(
  app: TestApp,
  file: TestFile,
  input: Record<string, unknown> = {},
): Promise<Succeeded<UploadImageMutation>['uploadImage']> {
  const response = await app.fetch('/graphql', { method: 'POST', body: uploadForm(file, input) });
  const { data, errors } = (await response.json()) as {
    data: Succeeded<UploadImageMutation>;
    errors?: unknown;
  };
  if (errors) throw new Error(JSON.stringify(errors));
  return data.uploadImage;
}

export function uploadForm(
  file: TestFile,
  input: Record<string, unknown> = {},
  query = print(UploadImageDocument),
): FormData {
  const form = new FormData();
  const variables = { input: { file: null, ...input } };
  form.append('operations', JSON.stringify({ query, variables }));
  form.append('map', JSON.stringify({ 0: ['variables.input.file'] }));
  form.append(
    '0',
    new File([file.content as BlobPart], file.name ?? 'picture.png', { type: file.type ?? 'image/png' }),
  );
  return form;
}

/** Placeholder in the variables of a form for one of its files. */
export const FILE_OF_FORM = null as unknown as File;

/**
 * Generates an image from an uploaded file. `place`: path of the file in the input, such as `references.0` or
 * `mask`.
 */
export async function generateWithFile(
  app: TestApp,
  input: GenerateImageInput,
  { place, content }: { place: string; content: Uint8Array },
): Promise<Succeeded<GenerateImageMutation>['generateImage']> {
  const body = new FormData();
  const query = print(GenerateImageDocument);
  body.append('operations', JSON.stringify({ query, variables: { input } }));
  body.append('map', JSON.stringify({ 0: [`variables.input.${place}.file`] }));
  body.append('0', new File([content as BlobPart], 'picture.png'));
  const response = await app.fetch('/graphql', { method: 'POST', body });
  return ((await response.json()) as { data: Succeeded<GenerateImageMutation> }).data.generateImage;
}
