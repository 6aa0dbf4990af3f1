import { Suspense, useId, useRef, useState } from 'react';
import { Button } from '../../design/button.tsx';
import { formatCount } from '../../design/format.ts';
import { loadLater } from '../../design/load-later.tsx';

import { useSignal } from '../../state/signal.ts';
import { make as text } from '../../text/make.ts';
import type { Form } from '../form/form.ts';
import styles from '../make.module.css';
import { addFiles, addImage, move, remove } from './edit-references.ts';
import { PickerDialog } from './picker-dialog.tsx';
import { pictures, setMask } from './pictures.ts';
import { ReferenceTile } from './reference-tile.tsx';

const MaskDialog = loadLater(() => import('../mask/mask-dialog.tsx'));

/** The pictures to generate from, and the mask over the first. */
export function ReferencesField({ tool, offers, faultOf }: Form) {
  const { references } = useSignal(pictures);
  const [picks, setPicks] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const { max } = offers.references;
  const fault = faultOf('references');
  if (max === 0) return null;
  return (
    <fieldset className={styles.references} aria-describedby={`${id}-note`}>
      <legend>{tool.minReferences === 1 && max === 1 ? text.referencesEdit : text.references}</legend>
      {references.length > 0 ? (
        <ol className={styles.tiles}>
          {references.map((reference, index) => (
            <li key={reference.key}>
              <ReferenceTile
                reference={reference}
                position={index}
                count={references.length}
                onMove={(by) => move(index, by)}
                onRemove={() => remove(index)}
              />
            </li>
          ))}
        </ol>
      ) : null}
      {references.length < max ? (
        <div className={styles.buttons}>
          <Button icon="upload" onClick={() => input.current?.click()}>
            {text.fromDisk}
          </Button>
          <Button icon="gallery" onClick={() => setPicks(true)}>
            {text.fromGallery}
          </Button>
        </div>
      ) : null}
      <p id={`${id}-note`} className={fault ? styles.fault : styles.soft}>
        {fault ?? (max === 1 ? text.oneReferenceHint : text.referencesHint(formatCount(max)))}
      </p>
      {offers.mask && references.length > 0 ? <MaskButtons fault={faultOf('mask')} /> : null}
      <input
        ref={input}
        type="file"
        accept="image/*"
        multiple={max > 1}
        hidden
        aria-label={text.fromDisk}
        onChange={({ target }) => {
          addFiles([...(target.files ?? [])], max);
          target.value = '';
        }}
      />
      <PickerDialog
        open={picks}
        onClose={() => setPicks(false)}
        chosen={references.map(({ key }) => key)}
        isFull={references.length >= max}
        onPick={(image) => {
          addImage(image, max);
          if (max === 1) setPicks(false);
        }}
      />
    </fieldset>
  );
}

function MaskButtons({ fault }: { readonly fault: string | undefined }) {
  const { references, mask } = useSignal(pictures);
  const [paints, setPaints] = useState(false);
  const [first] = references;
  return (
    <div className={styles.mask}>
      <div className={styles.buttons}>
        <Button icon="brush" onClick={() => setPaints(true)}>
          {mask ? text.changeMask : text.paintMask}
        </Button>
        {mask ? (
          <Button kind="quiet" onClick={() => setMask(null, mask.history)}>
            {text.removeMask}
          </Button>
        ) : null}
      </div>
      <p className={fault ? styles.fault : styles.soft}>{fault ?? (mask ? text.hasMask : text.maskHint)}</p>
      {paints && first ? (
        <Suspense fallback={null}>
          <MaskDialog
            url={first.url}
            history={mask?.history}
            onClose={() => setPaints(false)}
            onDone={(file, history) => {
              setMask(file, history);
              setPaints(false);
            }}
          />
        </Suspense>
      ) : null}
    </div>
  );
}
