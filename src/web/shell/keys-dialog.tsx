import { Dialog } from '../design/dialog.tsx';
import { keyGroups } from '../state/keys.ts';
import { useSignal } from '../state/signal.ts';
import { shell } from '../text/shared.ts';
import styles from './keys-dialog.module.css';

const SIGNS: Readonly<Record<string, string>> = {
  Arrows: '← ↑ ↓ →',
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
  ' ': 'Space',
  mod: 'Ctrl / ⌘',
  shift: 'Shift',
};

const show = (key: string) =>
  key
    .split('+')
    .map((part) => SIGNS[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join(' + ');

/** List of the keys of the present page. */
export function KeysDialog({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  const groups = useSignal(keyGroups);
  return (
    <Dialog title={shell.keysTitle} open={open} onClose={onClose}>
      <dl className={styles.list}>
        {groups.flat().map(({ key, label }) => (
          <div key={`${key} ${label}`} style={{ display: 'contents' }}>
            <dt>
              <kbd>{show(key)}</kbd>
            </dt>
            <dd>{label}</dd>
          </div>
        ))}
      </dl>
      <p className={styles.hint}>{shell.keysHint}</p>
    </Dialog>
  );
}
