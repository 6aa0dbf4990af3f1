import { Field } from '../../design/field.tsx';
import { formatCount } from '../../design/format.ts';
import { make as text } from '../../text/make.ts';
import styles from '../make.module.css';
import { faultOfSize, type SizeOffer, sidesOf } from '../offers.ts';
import { Choice } from './choice.tsx';
import type { Form } from './form.ts';

/** Value of the list for a size that is typed. */
const OTHER = 'other';

/** The size: from a list, or typed where the model allows any. */
export function SizeField({ draft, set, offers, faultOf }: Form) {
  const { size } = offers;
  if (size.kind === 'none') return null;
  const listed = size.kind === 'list' ? size.sizes : size.presets;
  const isTyped = size.kind === 'range' && draft.size !== '' && !listed.includes(draft.size);
  const known = draft.size === '' || listed.includes(draft.size) ? draft.size : '';
  return (
    <>
      <Choice
        label={text.size}
        error={isTyped ? undefined : faultOf('size')}
        value={isTyped ? OTHER : known}
        onChange={(value) => set({ size: value === OTHER ? typedFrom(size) : value })}
      >
        <option value="">{text.sizeDefault(showSize(size.usual))}</option>
        {listed.map((each) => (
          <option key={each} value={each}>
            {showSize(each)}
          </option>
        ))}
        {size.kind === 'range' ? <option value={OTHER}>{text.sizeOther}</option> : null}
      </Choice>
      {isTyped ? <TypedSize value={draft.size} offer={size} error={faultOf('size')} onChange={set} /> : null}
    </>
  );
}

const showSize = (size: string) => size.replace('x', ' × ');

/** Returns a size to begin with that no preset has. */
function typedFrom(offer: SizeOffer): string {
  const usual = offer.kind === 'none' ? null : sidesOf(offer.usual);
  const side = (usual?.width ?? 512) - 8;
  return `${side}x${offer.kind === 'range' && offer.square ? side : (usual?.height ?? 512) - 8}`;
}

interface TypedSizeProps {
  readonly value: string;
  readonly offer: Extract<SizeOffer, { readonly kind: 'range' }>;
  readonly error: string | undefined;
  readonly onChange: (changes: { readonly size: string }) => void;
}

function TypedSize({ value, offer, error, onChange }: TypedSizeProps) {
  const [width = '', height = ''] = value.split('x');
  const fault = faultOfSize(value, offer);
  const put = (side: 'width' | 'height', typed: string) => {
    const digits = typed.replace(/\D/g, '').slice(0, 5);
    const sides = {
      width,
      height,
      ...(offer.square ? { width: digits, height: digits } : {}),
      [side]: digits,
    };
    onChange({ size: `${sides.width}x${sides.height}` });
  };
  return (
    <div className={styles.sides}>
      <Field
        label={text.width}
        error={error ?? (fault ? text.faults[`size-${fault}`] : undefined)}
        hint={text.sizeRange(formatCount(offer.minSide), formatCount(offer.maxSide))}
      >
        {(control) => (
          <input
            {...control}
            inputMode="numeric"
            value={width}
            onChange={({ target }) => put('width', target.value)}
          />
        )}
      </Field>
      <Field label={text.height}>
        {(control) => (
          <input
            {...control}
            inputMode="numeric"
            value={height}
            onChange={({ target }) => put('height', target.value)}
          />
        )}
      </Field>
    </div>
  );
}
