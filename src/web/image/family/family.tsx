import { useQuery } from 'urql';
import { formatAgo } from '../../design/format.ts';
import {
  type ImageDetailsFragment,
  ImageFamilyDocument,
  type ImageTileFragment,
} from '../../generated/graphql.ts';
import { family as text } from '../../text/image-details.ts';
import { ImageLink } from '../image-link.tsx';
import { Section } from '../section.tsx';
import styles from './family.module.css';
import { type FamilyNode, familyOf, isAlone } from './family-tree.ts';

/** The images that this one was made from and led to, as a tree. */
export function Family({ image }: { readonly image: ImageDetailsFragment }) {
  const [{ data, error }] = useQuery({
    query: ImageFamilyDocument,
    variables: { id: image.uuid },
    requestPolicy: 'cache-and-network',
  });
  const found = data?.image?.id === image.id ? data.image : null;
  const trees = found ? familyOf<ImageTileFragment>(found) : [];
  return (
    <Section title={text.title}>
      {found === null || isAlone(trees) ? (
        <p className={styles.note}>{error ? text.failed : found ? text.none : '\u00a0'}</p>
      ) : (
        <Branch nodes={trees} />
      )}
    </Section>
  );
}

const Branch = ({ nodes }: { readonly nodes: readonly FamilyNode<ImageTileFragment>[] }) => (
  <ul className={styles.branch}>
    {nodes.map(({ member, kinship, children }) => (
      <li key={member.id}>
        <ImageLink image={member} isHere={kinship === 'here'}>
          {kinship === 'here' ? text.here : text[kinship]}
          {member.part && kinship !== 'here' ? ` · ${member.part}` : ''}
          {` · ${formatAgo(member.createdAt)}`}
          {member.deletedAt ? ` · ${text.trashed}` : ''}
        </ImageLink>
        {children.length > 0 ? <Branch nodes={children} /> : null}
      </li>
    ))}
  </ul>
);
