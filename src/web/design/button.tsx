import type { ButtonHTMLAttributes } from 'react';
import styles from './button.module.css';
import { Icon, type IconName } from './icon.tsx';

type Kind = 'plain' | 'primary' | 'danger' | 'quiet';

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly kind?: Kind;
  readonly icon?: IconName;
  /** Whether the action runs; the button then ignores clicks and keeps its focus. */
  readonly busy?: boolean;
}

/** Returns the class names of a button, for links that look like one. */
export const buttonClass = (kind: Kind = 'plain', ...more: (string | undefined)[]) =>
  [styles.button, kind === 'plain' ? '' : styles[kind], ...more].filter(Boolean).join(' ');

export function Button({ kind, icon, busy = false, className, children, onClick, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      className={buttonClass(kind, busy ? styles.busy : undefined, className)}
      aria-busy={busy || undefined}
      aria-disabled={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : onClick}
    >
      {icon ? <Icon name={icon} /> : null}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ButtonProps, 'children'> {
  readonly icon: IconName;
  /** Name for screen readers, and the tooltip. */
  readonly label: string;
}

/** A button with an icon alone. */
export function IconButton({ label, className, kind = 'quiet', ...rest }: IconButtonProps) {
  return (
    <Button
      {...rest}
      kind={kind}
      className={[styles.icon, className].filter(Boolean).join(' ')}
      aria-label={label}
      title={label}
    />
  );
}
