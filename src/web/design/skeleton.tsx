import { text } from '../text/shared.ts';
import styles from './skeleton.module.css';
import { spoken } from './spoken.tsx';

/** Lines in place of content that is being read. It takes about as much room. */
export const Skeleton = ({ lines = 3 }: { readonly lines?: number }) => (
  <div className={styles.skeleton} role="status">
    <span className={spoken}>{text.loading}</span>
    {Array.from({ length: lines }, (_, line) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: the lines have no other key and never move.
      <span key={line} className={styles.line} />
    ))}
  </div>
);
