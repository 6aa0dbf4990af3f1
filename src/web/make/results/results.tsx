import { useRef } from 'react';
import { formatCount } from '../../design/format.ts';
import { Icon } from '../../design/icon.tsx';
import { Spoken } from '../../design/spoken.tsx';
import { useSignal } from '../../state/signal.ts';
import { make as text } from '../../text/make.ts';
import styles from '../make.module.css';
import { useFollow } from './follow.ts';
import { isOpen, made } from './made.ts';
import { MadeCard } from './made-card.tsx';

/** Images of this tab, and those in the works. */
export function Results() {
  useFollow();
  const images = useSignal(made);
  return (
    <section className={styles.results} id="made" aria-label={text.results}>
      {images.length === 0 ? (
        <div className={styles.nothing}>
          <Icon name="make" size={36} />
          <h2>{text.resultsEmpty}</h2>
          <p>{text.resultsEmptyHint}</p>
        </div>
      ) : (
        <ul className={styles.cards}>
          {images.map((image) => (
            <li key={image.uuid} className={styles.cell}>
              <MadeCard image={image} />
            </li>
          ))}
        </ul>
      )}
      <Announcement />
    </section>
  );
}

/** Tells screen readers when images are ready or have failed. */
function Announcement() {
  const images = useSignal(made);
  const seen = useRef({ open: 0, said: '' });
  const open = images.filter(isOpen).length;
  const failed = images.filter(({ status }) => status === 'FAILED').length;
  const ready = images.length - open - failed;
  if (open < seen.current.open) {
    const parts = [
      ready > 0 ? text.ready(formatCount(ready)) : '',
      failed > 0 ? text.failedCount(formatCount(failed)) : '',
    ];
    seen.current.said = parts.filter(Boolean).join(', ');
  }
  seen.current.open = open;
  return <Spoken>{seen.current.said}</Spoken>;
}
