import { IconButton } from '../../design/button.tsx';
import { formatCount } from '../../design/format.ts';
import { Picture } from '../../design/picture.tsx';
import { useSignal } from '../../state/signal.ts';
import { make as text } from '../../text/make.ts';
import styles from '../make.module.css';
import { pictures, type Reference } from './pictures.ts';

interface ReferenceTileProps {
  readonly reference: Reference;
  readonly position: number;
  readonly count: number;
  readonly onMove: (by: number) => void;
  readonly onRemove: () => void;
}

/** A chosen picture, with buttons to move and remove it. */
export function ReferenceTile({ reference, position, count, onMove, onRemove }: ReferenceTileProps) {
  const { mask } = useSignal(pictures);
  const number = formatCount(position + 1);
  return (
    <div className={styles.tile}>
      <div className={styles.tilePicture}>
        {'file' in reference ? (
          <img src={reference.url} alt={reference.file.name} decoding="async" />
        ) : (
          <Picture
            image={reference.image}
            sizes="8rem"
            alt={reference.image.prompt || text.reference(number)}
            eager
          />
        )}
        {mask && position === 0 ? <img className={styles.maskPreview} src={mask.url} alt="" /> : null}
      </div>
      <div className={styles.tileButtons}>
        {count > 1 ? (
          <>
            <IconButton
              icon="left"
              label={text.earlier(number)}
              disabled={position === 0}
              onClick={() => onMove(-1)}
            />
            <IconButton
              icon="right"
              label={text.later(number)}
              disabled={position === count - 1}
              onClick={() => onMove(1)}
            />
          </>
        ) : null}
        <IconButton icon="close" label={text.removeReference(number)} onClick={onRemove} />
      </div>
    </div>
  );
}
