import { Link } from 'wouter';
import { CopyButton } from '../../design/copy-button.tsx';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { type GalleryFilter, galleryPath } from '../../state/filter.ts';
import { facts } from '../../text/image-details.ts';
import { Section } from '../section.tsx';
import styles from './facts.module.css';
import { type Fact, factsOf } from './facts.ts';

/** All fields of the image. */
export const Facts = ({ image }: { readonly image: ImageDetailsFragment }) =>
  factsOf(image).map((group) => (
    <Section key={group.title} title={group.title}>
      <FactList facts={group.facts} />
    </Section>
  ));

/** Names and values, in two columns. */
export const FactList = ({ facts: list }: { readonly facts: readonly Fact[] }) => (
  <dl className={styles.list}>
    {list.map(({ name, value, copy, isCode, filter }) => (
      <div key={name} className={styles.row}>
        <dt>{name}</dt>
        <dd>
          <Value isCode={isCode ?? false} value={value} filter={filter} />
          {copy === undefined ? null : (
            <CopyButton className={styles.copy ?? ''} value={copy} label={facts.copy(name)} />
          )}
        </dd>
      </div>
    ))}
  </dl>
);

interface ValueProps {
  readonly value: string;
  readonly isCode: boolean;
  readonly filter: GalleryFilter | undefined;
}

function Value({ value, isCode, filter }: ValueProps) {
  const link = filter ? <Link href={galleryPath(filter)}>{value}</Link> : value;
  if (!isCode) return <span className={styles.value}>{link}</span>;
  return (
    <code className={styles.code} title={value}>
      {link}
    </code>
  );
}
