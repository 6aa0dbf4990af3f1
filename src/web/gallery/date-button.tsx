import { Popover } from '@base-ui/react/popover';
import { useState } from 'react';
import { buttonClass } from '../design/button.tsx';
import { Field } from '../design/field.tsx';
import { formatCount, formatDay, formatMonth } from '../design/format.ts';
import { Icon } from '../design/icon.tsx';
import { spoken } from '../design/spoken.tsx';
import type { GalleryFilter } from '../state/filter.ts';
import { type Signal, useSignal } from '../state/signal.ts';
import { gallery as text } from '../text/gallery.ts';
import styles from './date-button.module.css';
import { startOfMonth } from './days.ts';
import { useMonths } from './use-months.ts';

interface DateButtonProps {
  readonly filter: GalleryFilter;
  readonly day: Signal<string>;
  readonly onJump: (day: string) => void;
}

/** Day of the first image on the screen; it opens a field for another day, and the months with images. */
export function DateButton({ filter, day, onJump }: DateButtonProps) {
  const [open, setOpen] = useState(false);
  const present = useSignal(day);
  const jump = (to: string) => {
    setOpen(false);
    onJump(to);
  };
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger className={buttonClass('plain', styles.button)} title={text.jump}>
        <Icon name="calendar" />
        {present === '' ? null : <span className={spoken}>{text.jump}</span>}
        <span className={styles.day}>{present === '' ? text.jump : formatDay(present)}</span>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner sideOffset={6} align="end" className={styles.positioner}>
          <Popover.Popup className={styles.popup} data-popup>
            <Popover.Title className={styles.title}>{text.jump}</Popover.Title>
            <Choice {...{ filter, present, jump }} />
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

interface ChoiceProps {
  readonly filter: GalleryFilter;
  readonly present: string;
  readonly jump: (day: string) => void;
}

function Choice({ filter, present, jump }: ChoiceProps) {
  const { months, complete } = useMonths(filter);
  const isOldestFirst = filter.order === 'oldest';
  const [chosen, setChosen] = useState(present);
  const submit = () => /^\d{4}-\d\d-\d\d$/.test(chosen) && jump(chosen);
  return (
    <>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <Field label={text.jumpLabel} hint={text.jumpHint}>
          {(control) => (
            <input
              {...control}
              type="date"
              value={chosen}
              required
              onChange={({ target }) => setChosen(target.value)}
            />
          )}
        </Field>
        <button type="submit" className={buttonClass('primary')}>
          {text.go}
        </button>
      </form>
      <ul className={styles.months} aria-label={text.months}>
        {months.map((month) => (
          <li key={month.month}>
            <button
              type="button"
              className={styles.month}
              aria-current={present.startsWith(month.month) || undefined}
              onClick={() => jump(startOfMonth(month, isOldestFirst))}
            >
              <span>{formatMonth(month.month)}</span>
              <span className={styles.count}>{formatCount(month.count)}</span>
            </button>
          </li>
        ))}
      </ul>
      {complete ? null : <p className={styles.note}>{text.partOfDays}</p>}
    </>
  );
}
