import { useEffect, useState } from 'react';
import { copyText } from '../state/clipboard.ts';
import { text } from '../text/shared.ts';
import { IconButton } from './button.tsx';
import { showToast } from './toast.tsx';

interface CopyButtonProps {
  /** Text to copy. */
  readonly value: string;
  /** Name for screen readers: what is copied. */
  readonly label: string;
  readonly className?: string;
}

/** Seconds for which the button shows that it copied. */
const SHOWN_SECONDS = 2;

/** Copies a text and says so. */
export async function copyAndSay(value: string, message: string = text.copied): Promise<boolean> {
  const isCopied = await copyText(value);
  if (isCopied) showToast(message);
  else showToast(text.notCopied, { tone: 'bad' });
  return isCopied;
}

/** A button that copies a text, and shows for a moment that it did. */
export function CopyButton({ value, label, className }: CopyButtonProps) {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), SHOWN_SECONDS * 1000);
    return () => clearTimeout(timer);
  }, [isCopied]);
  return (
    <IconButton
      icon={isCopied ? 'check' : 'copy'}
      label={label}
      className={className ?? ''}
      onClick={async () => setCopied(await copyAndSay(value))}
    />
  );
}
