import type { ReactNode } from 'react';
import { text } from '../text/shared.ts';
import { Button } from './button.tsx';
import { Icon, type IconName } from './icon.tsx';
import styles from './notice.module.css';

interface NoticeProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ReactNode;
  /** Whether screen readers are told at once. */
  readonly alert?: boolean;
  /** Whether it stands in place of a whole page, so that its title is that of the page. */
  readonly isPage?: boolean;
}

/** A message in place of content: nothing here yet, or an error. */
export function Notice({ icon, title, children, alert = false, isPage = false }: NoticeProps) {
  const Title = isPage ? 'h1' : 'h2';
  return (
    <div className={styles.notice} role={alert ? 'alert' : undefined}>
      <Icon name={icon} size={36} />
      <Title>{title}</Title>
      {children}
    </div>
  );
}

/** An error in place of content, with a way to try again. */
export function ErrorNotice({
  message,
  onRetry,
  isPage = false,
}: {
  readonly message: string;
  readonly onRetry?: () => void;
  readonly isPage?: boolean;
}) {
  return (
    <Notice icon="warning" title={text.failed} alert isPage={isPage}>
      <p>{message}</p>
      {onRetry ? (
        <Button icon="restore" onClick={onRetry}>
          {text.tryAgain}
        </Button>
      ) : null}
    </Notice>
  );
}

export type Tone = 'neutral' | 'good' | 'warn' | 'bad';

/** A short state, such as `durable`. The text says it; the colour only helps. */
export function Badge({
  tone = 'neutral',
  children,
}: {
  readonly tone?: Tone;
  readonly children: ReactNode;
}) {
  return (
    <span className={[styles.badge, tone === 'neutral' ? '' : styles[tone]].filter(Boolean).join(' ')}>
      {children}
    </span>
  );
}
