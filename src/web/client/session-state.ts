import { makeSignal } from '../state/signal.ts';

const signal = makeSignal(false);

/** Whether the server has refused the session: it ended, or its token was revoked. */
export const session = {
  isEnded: signal,
  end: () => signal.set(true),
  resume: () => signal.set(false),
};
