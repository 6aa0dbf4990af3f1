import { Field } from '../../design/field.tsx';
import { formatCount, formatUsd } from '../../design/format.ts';
import { make as text } from '../../text/make.ts';
import { seedOf } from '../draft.ts';
import styles from '../make.module.css';
import { canServe, defaultModelOf, priceOf } from '../offers.ts';
import { Choice, Options } from './choice.tsx';
import type { Form } from './form.ts';
import { SizeField } from './size-field.tsx';

/** The model, and what it lets one choose. */
export function ModelFields(form: Form) {
  const { draft, set, offers, faultOf } = form;
  return (
    <div className={styles.pairs}>
      {offers.model ? (
        <div className={styles.whole}>
          <ModelField {...form} />
        </div>
      ) : null}
      <SizeField {...form} />
      {offers.qualities.length > 0 ? (
        <Choice
          label={text.quality}
          error={faultOf('quality')}
          value={offers.qualities.includes(draft.quality) ? draft.quality : ''}
          onChange={(quality) => set({ quality })}
        >
          <option value="">{text.byProvider}</option>
          <Options values={offers.qualities} />
        </Choice>
      ) : null}
      {offers.styles.length > 0 ? (
        <Choice
          label={text.style}
          error={faultOf('style')}
          value={offers.styles.includes(draft.style) ? draft.style : ''}
          onChange={(style) => set({ style })}
        >
          <option value="">{text.byProvider}</option>
          <Options values={offers.styles} />
        </Choice>
      ) : null}
      {offers.maxImages > 1 ? <CountField {...form} /> : null}
    </div>
  );
}

function ModelField({ draft, set, tool, models, faultOf }: Form) {
  const ready = models.filter(({ available }) => available);
  const others = models.filter(({ available }) => !available);
  const usual = defaultModelOf(tool, models);
  return (
    <Choice
      label={text.model}
      error={faultOf('model')}
      value={models.some(({ id }) => id === draft.model) ? draft.model : ''}
      onChange={(model) => set({ model })}
    >
      <option value="">{text.modelDefault(usual?.id ?? '')}</option>
      <optgroup label={text.available}>
        {ready.map((model) => (
          <option key={model.id} value={model.id} disabled={!canServe(tool, model)}>
            {canServe(tool, model) ? model.id : text.cannotEdit(model.id)}
          </option>
        ))}
      </optgroup>
      {others.length > 0 ? (
        <optgroup label={text.unavailable}>
          {others.map(({ id }) => (
            <option key={id} value={id} disabled>
              {id}
            </option>
          ))}
        </optgroup>
      ) : null}
    </Choice>
  );
}

const CountField = ({ draft, set, offers, faultOf }: Form) => (
  <Choice
    label={text.n}
    error={faultOf('n')}
    value={String(Math.min(draft.n, offers.maxImages))}
    onChange={(n) => set({ n: Number(n) })}
  >
    {Array.from({ length: offers.maxImages }, (_, index) => index + 1).map((count) => (
      <option key={count} value={count}>
        {formatCount(count)}
      </option>
    ))}
  </Choice>
);

/** Settings that few requests need. */
export function MoreFields({ draft, set, offers, faultOf }: Form) {
  return (
    <>
      {offers.seed ? (
        <Field label={text.seed} hint={text.seedHint} error={faultOf('seed')}>
          {(control) => (
            <input
              {...control}
              value={draft.seed}
              inputMode="numeric"
              aria-invalid={draft.seed !== '' && seedOf(draft.seed) === null ? true : control['aria-invalid']}
              onChange={({ target }) => set({ seed: target.value })}
            />
          )}
        </Field>
      ) : null}
      {offers.formats.length > 0 ? (
        <Choice
          label={text.format}
          error={faultOf('format')}
          value={offers.formats.includes(draft.format) ? draft.format : ''}
          onChange={(format) => set({ format })}
        >
          <option value="">{text.byProvider}</option>
          {offers.formats.map((format) => (
            <option key={format} value={format} disabled={format === 'jpeg' && draft.isTransparent}>
              {format.toUpperCase()}
            </option>
          ))}
        </Choice>
      ) : null}
      {offers.transparency ? (
        <div>
          <label className={styles.check}>
            <input
              type="checkbox"
              checked={draft.isTransparent}
              onChange={({ target }) =>
                set({ isTransparent: target.checked, ...(draft.format === 'jpeg' ? { format: '' } : {}) })
              }
            />
            {text.transparent}
          </label>
          <p className={styles.fault}>{faultOf('background')}</p>
        </div>
      ) : null}
    </>
  );
}

/** The published price of the request, where one is known. */
export function Cost({ draft, tool, model, offers }: Form) {
  const one = offers.model ? priceOf(tool, model, draft) : null;
  if (one === null) return null;
  const count = offers.parts ? draft.parts.length : Math.min(draft.n, offers.maxImages);
  return (
    <p className={styles.soft}>
      {count === 1 ? text.cost(formatUsd(one)) : text.costs(formatUsd(one * count), formatUsd(one))}
    </p>
  );
}
