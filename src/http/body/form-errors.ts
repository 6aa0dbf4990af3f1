/** Errors of a multipart form. */
import { InputError } from '../../errors.ts';

export const badForm = (message: string) => new InputError('BAD_REQUEST', message);

export function interruptedForm(): InputError {
  const message = 'The form ends before its closing boundary: the upload was interrupted. Send it again.';
  return new InputError('UPLOAD_INTERRUPTED', message, { retryable: true });
}

export function tooManyFiles(limit: number): InputError {
  const message = `The form has too many files: ${limit} are allowed in one request (MAX_UPLOAD_FILES).`;
  return new InputError('TOO_LARGE', message);
}

/** Translates busboy's own errors. */
export function translateParserError(error: unknown): unknown {
  const message = error instanceof Error ? error.message : '';
  if (message === 'Unexpected end of form') return interruptedForm();
  if (message === 'Malformed part header') return badForm('The header of a part of the form is malformed.');
  return error;
}
