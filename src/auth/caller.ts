/** Who is asking. There is one kind for now: the operator, who holds the root token and may act for any user. */
export interface Caller {
  readonly kind: 'root';
  /** The user whose an image is when the input names none. */
  readonly userId: string;
}

export const ROOT: Caller = { kind: 'root', userId: 'root' };
