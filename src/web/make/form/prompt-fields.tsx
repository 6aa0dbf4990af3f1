import { Button, IconButton } from '../../design/button.tsx';
import { Field } from '../../design/field.tsx';
import { formatCount } from '../../design/format.ts';
import { make as text } from '../../text/make.ts';
import styles from '../make.module.css';
import type { Form } from './form.ts';

/** The texts of a request: the prompt, or the panels or pages with their character, or the chart. */
export function PromptFields(form: Form) {
  const { draft, set, offers, faultOf } = form;
  if (offers.chart)
    return (
      <>
        <ChartField {...form} />
        <Field label={text.chartText} hint={text.chartTextHint} error={faultOf('prompt')}>
          {(control) => (
            <input
              {...control}
              value={draft.prompt}
              onChange={({ target }) => set({ prompt: target.value })}
            />
          )}
        </Field>
      </>
    );
  if (offers.parts) return <PartFields {...form} />;
  return (
    <Field
      label={text.prompt}
      hint={roomOf(draft.prompt.length, offers.maxPromptLength)}
      error={faultOf('prompt')}
    >
      {(control) => (
        <textarea
          {...control}
          rows={5}
          value={draft.prompt}
          onChange={({ target }) => set({ prompt: target.value })}
          placeholder={text.promptExample}
        />
      )}
    </Field>
  );
}

/** Share of the longest prompt from which the room that is left is always shown. */
const NEARLY_FULL = 0.5;

/** Says how much room a text has left, once that matters. */
function roomOf(length: number, max: number | null): string | undefined {
  if (max === null) return undefined;
  if (length > max) return text.over(formatCount(length - max));
  return length > 0 || max * NEARLY_FULL < 1000 ? text.remaining(formatCount(max - length)) : undefined;
}

const CHART_EXAMPLE = `{
  "kind": "BAR",
  "x": "month",
  "y": "sales",
  "rows": [
    { "month": "May", "sales": 20 },
    { "month": "June", "sales": 31 }
  ]
}`;

const ChartField = ({ draft, set, faultOf }: Form) => (
  <Field label={text.chart} hint={text.chartHint} error={faultOf('chart')}>
    {({ className, ...control }) => (
      <textarea
        {...control}
        className={[className, styles.code].join(' ')}
        rows={10}
        value={draft.chart}
        onChange={({ target }) => set({ chart: target.value })}
        placeholder={CHART_EXAMPLE}
        spellCheck={false}
        autoCapitalize="off"
      />
    )}
  </Field>
);

function PartFields({ draft, set, offers, faultOf }: Form) {
  if (!offers.parts) return null;
  const { field, max } = offers.parts;
  const parts = draft.parts.slice(0, max);
  const nameOf = (index: number) => `${text.parts[field]} ${formatCount(index + 1)}`;
  const fault = faultOf('parts');
  return (
    <fieldset className={styles.parts}>
      <legend className={styles.hiddenLegend}>{text.partsTitle[field]}</legend>
      {parts.map((part, index) => (
        <div key={nameOf(index)} className={styles.part}>
          <Field label={nameOf(index)} error={fault && part.trim() === '' ? fault : undefined}>
            {(control) => (
              <textarea
                {...control}
                rows={2}
                value={part}
                onChange={({ target }) => set({ parts: parts.with(index, target.value) })}
              />
            )}
          </Field>
          {parts.length > 1 ? (
            <IconButton
              icon="close"
              label={text.removePart(nameOf(index))}
              onClick={() => set({ parts: parts.toSpliced(index, 1) })}
            />
          ) : null}
        </div>
      ))}
      {fault && parts.every((part) => part.trim() !== '') ? <p className={styles.fault}>{fault}</p> : null}
      {parts.length < max ? (
        <Button icon="plus" onClick={() => set({ parts: [...parts, ''] })}>
          {text.addPart[field]}
        </Button>
      ) : null}
      <Field label={text.character} hint={text.characterHint} error={faultOf('character')}>
        {(control) => (
          <input
            {...control}
            value={draft.character}
            maxLength={2000}
            onChange={({ target }) => set({ character: target.value })}
          />
        )}
      </Field>
    </fieldset>
  );
}
