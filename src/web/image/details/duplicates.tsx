import { useQuery } from 'urql';
import { formatAgo } from '../../design/format.ts';
import { type ImageDetailsFragment, ImageDuplicatesDocument } from '../../generated/graphql.ts';
import { duplicates as text } from '../../text/image-details.ts';
import { ImageLink } from '../image-link.tsx';
import { Section } from '../section.tsx';

/** Other images with the same bytes; nothing when there are none. */
export function Duplicates({ image }: { readonly image: ImageDetailsFragment }) {
  const [{ data }] = useQuery({
    query: ImageDuplicatesDocument,
    variables: { id: image.uuid },
    requestPolicy: 'cache-and-network',
    pause: !image.sha256,
  });
  const found = data?.image?.id === image.id ? data.image.duplicates : [];
  if (found.length === 0) return null;
  return (
    <Section title={text.title}>
      <ul>
        {found.map((duplicate) => (
          <li key={duplicate.id}>
            <ImageLink image={duplicate}>
              {text.of(duplicate.username ?? duplicate.userId)} · {formatAgo(duplicate.createdAt)}
            </ImageLink>
          </li>
        ))}
      </ul>
    </Section>
  );
}
