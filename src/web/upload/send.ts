import { NoResponse, type Posted, post } from '../client/post.ts';
import { ImportImageDocument, type OnDuplicate, UploadImageDocument } from '../generated/graphql.ts';
import { inputOf, type UploadOptions } from './options.ts';
import { type AddPayload, isOwnImage, type Outcome, outcomeOf, unanswered } from './outcome.ts';

/** A file or an address, with what applies to it. */
export interface Source {
  readonly content: File | string;
  readonly name: string;
  readonly options: UploadOptions;
  /** ID that all images of the batch share. */
  readonly requestId: string;
}

export interface Attempt {
  /** Whether an earlier attempt may have stored the image. */
  readonly isRepeat: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (sent: number) => void;
}

/**
 * Sends a file, or has an address fetched.
 *
 * When the response to an earlier attempt was lost, the image may exist. With CREATE, the attempt then asks
 * for duplicates first, so that no second image is made.
 */
export async function send(source: Source, attempt: Attempt): Promise<Outcome> {
  try {
    const { onDuplicate } = source.options;
    if (!attempt.isRepeat || onDuplicate === 'REUSE')
      return outcomeFor(source, await add(source, onDuplicate, attempt));
    const asked = await add(source, 'ERROR', attempt);
    const fault = asked.payload?.userErrors[0];
    const existing = fault?.__typename === 'DuplicateError' ? fault.image : null;
    if (!existing) return outcomeFor(source, asked);
    if (isOwnImage(existing, source)) return { type: 'stored', image: existing.uuid, isNew: true };
    return outcomeFor(source, onDuplicate === 'ERROR' ? asked : await add(source, 'CREATE', attempt));
  } catch (error) {
    if (error instanceof NoResponse) return unanswered();
    throw error;
  }
}

interface Added {
  readonly posted: Posted<unknown>;
  readonly payload: AddPayload | null;
}

const outcomeFor = ({ requestId }: Source, { posted, payload }: Added) =>
  outcomeOf(posted, payload, requestId);

async function add(source: Source, onDuplicate: OnDuplicate, attempt: Attempt): Promise<Added> {
  const { content, name, options, requestId } = source;
  const { signal, onProgress } = attempt;
  const details = { ...inputOf(options), onDuplicate, requestId };
  if (typeof content === 'string') {
    const posted = await post(ImportImageDocument, { input: { ...details, url: content } }, { signal });
    return { posted, payload: posted.data?.importImage ?? null };
  }
  const input = { ...details, filename: name, file: content };
  const posted = await post(UploadImageDocument, { input }, { signal, onProgress });
  return { posted, payload: posted.data?.uploadImage ?? null };
}
