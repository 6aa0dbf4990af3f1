import { useEffect, useLayoutEffect, useRef, useState } from 'react';
import { makeSignal, useSignal } from '../state/signal.ts';
import { text } from '../text/shared.ts';
import { Button, IconButton } from './button.tsx';
import styles from './toast.module.css';

interface Toast {
  readonly id: number;
  readonly message: string;
  readonly tone: 'neutral' | 'bad';
  readonly action?: { readonly label: string; readonly run: () => void };
}

const toasts = makeSignal<readonly Toast[]>([]);
let next = 1;

const dismiss = (id: number) => toasts.set(toasts.get().filter((toast) => toast.id !== id));

/** Shows a short message at the foot of the page. Errors, and messages with an action, stay longer. */
export function showToast(message: string, options: Partial<Pick<Toast, 'tone' | 'action'>> = {}): void {
  toasts.set([...toasts.get().slice(-2), { id: next++, message, tone: 'neutral', ...options }]);
}

/** Seconds for which a toast stays. */
const SECONDS = { plain: 5, long: 12 };

/** The toasts, said to screen readers as they come. */
export function Toasts() {
  const shown = useSignal(toasts);
  return (
    <div className={styles.list} role="status" aria-live="polite">
      {shown.map((toast) => (
        <ToastItem key={toast.id} {...toast} />
      ))}
    </div>
  );
}

function ToastItem({ id, message, tone, action }: Toast) {
  const seconds = action || tone === 'bad' ? SECONDS.long : SECONDS.plain;
  const [isHeld, setHeld] = useState(false);
  // It stays while a person is about to press one of its buttons.
  const hold = {
    onPointerEnter: () => setHeld(true),
    onPointerLeave: () => setHeld(false),
    onFocus: () => setHeld(true),
    onBlur: () => setHeld(false),
  };
  const item = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (isHeld) return;
    const timer = setTimeout(() => dismiss(id), seconds * 1000);
    return () => clearTimeout(timer);
  }, [id, seconds, isHeld]);
  useLayoutEffect(() => {
    const element = item.current;
    return () => {
      if (element?.contains(document.activeElement))
        document.querySelector('main')?.focus({ preventScroll: true });
    };
  }, []);
  return (
    <div
      ref={item}
      className={[styles.toast, tone === 'bad' ? styles.bad : ''].filter(Boolean).join(' ')}
      {...hold}
    >
      <span>{message}</span>
      {action ? (
        <Button
          kind="quiet"
          onClick={() => {
            dismiss(id);
            action.run();
          }}
        >
          {action.label}
        </Button>
      ) : null}
      <IconButton icon="close" label={text.close} onClick={() => dismiss(id)} />
    </div>
  );
}
