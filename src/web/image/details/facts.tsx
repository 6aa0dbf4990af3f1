import { CopyButton } from '../../design/copy-button.tsx';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
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
    {list.map(({ name, value, copy, isCode }) => (
      <div key={name} className={styles.row}>
        <dt>{name}</dt>
        <dd>
          {isCode ? (
            <code className={styles.code} title={value}>
              {value}
            </code>
          ) : (
            <span className={styles.value}>{value}</span>
          )}
          {copy === undefined ? null : (
            <CopyButton className={styles.copy ?? ''} value={copy} label={facts.copy(name)} />
          )}
        </dd>
      </div>
    ))}
  </dl>
);
