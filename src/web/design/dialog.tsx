import { type ReactNode, useEffect, useId, useRef } from 'react';
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
 * `data-autofocus` gets the focus first.
 */
export function Dialog({ title, open, onClose, children, actions, isWide = false }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const element = dialog.current;
    if (!element || element.open === open) return;
    if (open) {
      element.showModal();
      element.querySelector<HTMLElement>('[data-autofocus]')?.focus();
    } else element.close();
  }, [open]);
  if (!open) return null;
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
