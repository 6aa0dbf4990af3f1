import { formatTime } from '../../design/format.ts';
import { Badge } from '../../design/notice.tsx';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { provenance as text } from '../../text/image-details.ts';
import { Section } from '../section.tsx';
import type { Fact } from './facts.ts';
import { FactList } from './facts.tsx';
import styles from './provenance.module.css';

type Provenance = NonNullable<ImageDetailsFragment['provenance']>;

/** Statements that generators and cameras wrote into the file. */
export function FileProvenance({ image: { provenance } }: { readonly image: ImageDetailsFragment }) {
  if (!provenance) return null;
  const hasTexts = Object.keys(provenance.raw as object).length > 0;
  return (
    <Section
      title={text.title}
      actions={
        <Badge>{`${text.credentials}: ${provenance.hasContentCredentials ? text.present : text.absent}`}</Badge>
      }
    >
      <p className={styles.hint}>{text.hint}</p>
      <FactList facts={statementsOf(provenance)} />
      {hasTexts ? (
        <details className={styles.raw}>
          <summary>{text.raw}</summary>
          <RawTexts raw={provenance.raw as Record<string, unknown>} />
        </details>
      ) : null}
    </Section>
  );
}

const RawTexts = ({ raw }: { readonly raw: Record<string, unknown> }) => (
  <dl className={styles.texts}>
    {Object.entries(raw).map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reachable by keyboard. */}
          <pre tabIndex={0}>{typeof value === 'string' ? value : JSON.stringify(value, null, 2)}</pre>
        </dd>
      </div>
    ))}
  </dl>
);

function statementsOf(provenance: Provenance): Fact[] {
  const rows: readonly [string, string | number | null | undefined][] = [
    [text.generator, provenance.generator],
    [text.software, provenance.software],
    [text.camera, provenance.camera],
    [text.takenAt, provenance.takenAt && takenAt(provenance.takenAt)],
    [text.description, provenance.description],
    [text.sourceType, provenance.digitalSourceType?.replace(/^.*\//, '')],
    [text.prompt, provenance.prompt],
    [text.model, provenance.model],
    [text.sampler, provenance.sampler],
    [text.steps, provenance.steps],
    [text.cfgScale, provenance.cfgScale],
  ];
  return rows.flatMap(([name, value]) => (value == null ? [] : [{ name, value: String(value) }]));
}

/** Formats when a photo was taken. Without an offset it is the time of the camera's place. */
const takenAt = (value: string) => (Number.isNaN(Date.parse(value)) ? value : formatTime(value));
