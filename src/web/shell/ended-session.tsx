import { addressOf } from '../client/address.ts';
import { session } from '../client/session-state.ts';
import { buttonClass } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { useSignal } from '../state/signal.ts';
import { text } from '../text/shared.ts';

/** Says that the session has ended, and keeps the page: what was typed is not lost. */
export function EndedSession() {
  const isEnded = useSignal(session.isEnded);
  return (
    <Dialog
      title={text.loggedOut}
      open={isEnded}
      onClose={session.resume}
      actions={
        <a className={buttonClass('primary')} href={addressOf('login')} target="_blank" rel="noreferrer">
          {text.logInAgain}
        </a>
      }
    >
      <p>{text.loggedOutHint}</p>
    </Dialog>
  );
}
