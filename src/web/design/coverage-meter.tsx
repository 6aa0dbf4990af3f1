import { coverage as text } from '../text/coverage.ts';
import { coverageOf, type StoreCopies } from './coverage.ts';
import styles from './coverage-meter.module.css';
import { formatAgo, formatCount, formatShare, formatTime } from './format.ts';
import { Meter, type MeterTone } from './meter.tsx';

interface CoverageMeterProps {
  readonly store: StoreCopies & { readonly name: string; readonly oldestVerifiedAt: string | null };
  /** Whether the name of the store stands above. */
  readonly named?: boolean;
}

const TONES = { week: 'good', month: 'fair', older: 'warn', never: 'none' } as const satisfies Record<
  string,
  MeterTone
>;
const PARTS = ['week', 'month', 'older', 'never'] as const;

/** The healthy copies of a store, by the time since their hash was verified. */
export function CoverageMeter({ store, named = false }: CoverageMeterProps) {
  const counts = coverageOf(store);
  return (
    <div className={styles.coverage}>
      <p className={styles.head}>
        {named ? <strong>{store.name}</strong> : null}
        <span className={styles.note}>
          <Summary
            store={store}
            share={store.copies === 0 ? null : (counts.week + counts.month) / store.copies}
          />
        </span>
      </p>
      <Meter
        parts={PARTS.map((key) => ({
          key,
          value: counts[key],
          tone: TONES[key],
          children: (
            <span className={styles.part}>
              {text.parts[key]}
              <strong>{formatCount(counts[key])}</strong>
            </span>
          ),
        }))}
      />
    </div>
  );
}

function Summary({
  store: { oldestVerifiedAt },
  share,
}: Pick<CoverageMeterProps, 'store'> & { share: number | null }) {
  if (share === null) return text.noCopies;
  if (oldestVerifiedAt === null) return text.notVerified;
  return (
    <>
      {text.share(formatShare(share))}
      {' · '}
      <time dateTime={oldestVerifiedAt} title={formatTime(oldestVerifiedAt)}>
        {text.oldest(formatAgo(oldestVerifiedAt))}
      </time>
    </>
  );
}
