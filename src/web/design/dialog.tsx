import { type ReactNode, useId, useLayoutEffect, useRef } from 'react';
import { text } from '../text/shared.ts';
import { IconButton } from './button.tsx';
import styles from './dialog.module.css';

interface DialogProps {
  readonly title: string;
  readonly open: boolean;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** Buttons at the end, the main one last. */
  readonly actions?: ReactNode;
  /** Whether it takes most of the screen. */
  readonly isWide?: boolean;
}

/**
 * A modal dialog by the browser's own `<dialog>`: it traps the focus, and Escape closes it. An element with
 * `data-autofocus` gets the focus first. When it closes, the element that opened it gets the focus back.
 */
export const Dialog = ({ open, ...rest }: DialogProps) => (open ? <OpenDialog {...rest} /> : null);

function OpenDialog({ title, onClose, children, actions, isWide = false }: Omit<DialogProps, 'open'>) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const element = dialog.current;
    element?.showModal();
    element?.querySelector<HTMLElement>('[data-autofocus]')?.focus();
    // Without `close` before it is removed, the browser leaves the focus nowhere.
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className={[styles.dialog, isWide ? styles.wide : ''].join(' ')}
      aria-labelledby={id}
      onClose={onClose}
    >
      <header className={styles.head}>
        <h2 id={id}>{title}</h2>
        <IconButton icon="close" label={text.close} onClick={onClose} />
      </header>
      <div className={styles.body}>
        {children}
        {actions ? <footer className={styles.foot}>{actions}</footer> : null}
      </div>
    </dialog>
  );
}
