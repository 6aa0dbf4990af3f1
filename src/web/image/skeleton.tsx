import { spoken } from '../design/spoken.tsx';
import { page } from '../text/image.ts';
import { text } from '../text/shared.ts';
import styles from './image-page.module.css';
import stageStyles from './stage/stage.module.css';

/** Widths of the grey lines in place of the details, in per cent. */
const LINES = [40, 65, 90, 30, 100, 100, 80, 30, 100, 100, 60];

/** The page while its image is loaded: the same parts in the same places. */
export const Skeleton = () => (
  <div className={styles.page} aria-busy="true">
    <div className={stageStyles.stage} />
    <div className={styles.panel}>
      <h1 className={spoken} role="status" aria-label={page.loading}>
        {text.loading}
      </h1>
      {LINES.map((width, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines never change.
        <span key={index} className={styles.bone} style={{ width: `${width}%` }} />
      ))}
    </div>
  </div>
);
