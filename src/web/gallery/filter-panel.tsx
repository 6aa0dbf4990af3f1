import { useEffect, useRef } from 'react';
import { useSession } from '../client/session.tsx';
import { Button, IconButton } from '../design/button.tsx';
import { Field } from '../design/field.tsx';
import { DURABILITIES, type GalleryFilter, ORDERS, type Order, STATUSES } from '../state/filter.ts';
import { gallery as text } from '../text/gallery.ts';
import { countOf, omit, toggled, withPart } from './conditions.ts';
import { FacetList, OptionList } from './filter-lists.tsx';
import styles from './filter-panel.module.css';
import { useFacets } from './use-facets.ts';

interface FilterPanelProps {
  readonly filter: GalleryFilter;
  readonly onChange: (filter: GalleryFilter) => void;
  readonly onClose: () => void;
  readonly className: string;
}

/** Everything that can be chosen, with the number of images of each. */
export default function FilterPanel({ filter, onChange, onClose, className }: FilterPanelProps) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.focus({ preventScroll: true }), []);
  return (
    <aside
      ref={panel}
      className={className}
      aria-label={text.filters}
      tabIndex={-1}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        onClose();
      }}
    >
      <header className={styles.head}>
        <h2>{text.filters}</h2>
        {countOf(filter) > 0 ? (
          <Button kind="quiet" onClick={() => onChange(filter.order ? { order: filter.order } : {})}>
            {text.clearAll}
          </Button>
        ) : null}
        <IconButton icon="close" label={text.closeFilters} onClick={onClose} />
      </header>
      <div className={styles.parts}>
        <States filter={filter} onChange={onChange} />
        <Facets filter={filter} onChange={onChange} />
        <Dates filter={filter} onChange={onChange} />
        <Rest filter={filter} onChange={onChange} />
      </div>
    </aside>
  );
}

const OrderField = ({ filter, onChange }: PartProps) => (
  <Field label={text.order}>
    {(control) => (
      <select
        {...control}
        value={filter.order ?? 'newest'}
        onChange={({ target }) => onChange({ ...filter, order: target.value as Order })}
      >
        {ORDERS.map((order) => (
          <option key={order} value={order}>
            {text.orders[order]}
          </option>
        ))}
      </select>
    )}
  </Field>
);

type PartProps = Pick<FilterPanelProps, 'filter' | 'onChange'>;

const States = ({ filter, onChange }: PartProps) => (
  <>
    <OptionList
      label={text.parts.status}
      options={STATUSES.map((value) => ({ value, label: text.statuses[value] }))}
      chosen={filter.status ?? []}
      onToggle={(value) => onChange(withPart(filter, 'status', toggled(filter.status, value)))}
    />
    <OptionList
      label={text.parts.durability}
      options={DURABILITIES.map((value) => ({ value, label: text.durabilities[value] }))}
      chosen={filter.durability ?? []}
      onToggle={(value) =>
        onChange(
          withPart(
            filter,
            'durability',
            DURABILITIES.filter((each) => toggled(filter.durability, value).includes(each)),
          ),
        )
      }
    />
  </>
);

function Facets({ filter, onChange }: PartProps) {
  const { facets, complete } = useFacets(filter);
  const { viewer } = useSession();
  const single = [
    'tool',
    'model',
    'provider',
    ...(viewer.userId === null ? (['user'] as const) : []),
  ] as const;
  return (
    <>
      {single.map((key) => (
        <FacetList
          key={key}
          label={text.parts[key]}
          facets={facets[key]}
          chosen={filter[key] === undefined ? [] : [filter[key]]}
          onToggle={(value) =>
            onChange(filter[key] === value ? omit(filter, key) : { ...filter, [key]: value })
          }
        />
      ))}
      <FacetList
        label={text.parts.tags}
        facets={facets.tags}
        chosen={filter.tags ?? []}
        onToggle={(value) => onChange(withPart(filter, 'tags', toggled(filter.tags, value)))}
      />
      {complete ? null : <p className={styles.note}>{text.facetsPartly}</p>}
    </>
  );
}

const Dates = ({ filter, onChange }: PartProps) => (
  <div className={styles.dates}>
    {(['from', 'to'] as const).map((key) => (
      <Field key={key} label={text.parts[key]}>
        {(control) => (
          <input
            {...control}
            type="date"
            value={filter[key] ?? ''}
            min={key === 'to' ? filter.from : undefined}
            max={key === 'from' ? filter.to : undefined}
            onChange={({ target }) => onChange(withPart(filter, key, target.value))}
          />
        )}
      </Field>
    ))}
  </div>
);

const Rest = ({ filter, onChange }: PartProps) => (
  <>
    <OrderField filter={filter} onChange={onChange} />
    <Field label={text.parts.visibility}>
      {(control) => (
        <select
          {...control}
          value={filter.visibility ?? ''}
          onChange={({ target }) => onChange(withPart(filter, 'visibility', target.value as 'public'))}
        >
          <option value="">{text.any}</option>
          <option value="public">{text.visibilities.public}</option>
          <option value="private">{text.visibilities.private}</option>
        </select>
      )}
    </Field>
    <Field label={text.parts.trash}>
      {(control) => (
        <select
          {...control}
          value={filter.trash ?? ''}
          onChange={({ target }) => onChange(withPart(filter, 'trash', target.value as 'include'))}
        >
          <option value="">{text.noTrash}</option>
          <option value="include">{text.trashes.include}</option>
          <option value="only">{text.trashes.only}</option>
        </select>
      )}
    </Field>
    <Field label={text.parts.sha256} hint={text.shaHint}>
      {(control) => (
        <input
          {...control}
          defaultValue={filter.sha256}
          key={filter.sha256}
          spellCheck={false}
          autoComplete="off"
          onChange={({ target }) => {
            const value = target.value.trim().toLowerCase();
            if (value === '' || /^[0-9a-f]{64}$/.test(value)) onChange(withPart(filter, 'sha256', value));
          }}
        />
      )}
    </Field>
  </>
);
