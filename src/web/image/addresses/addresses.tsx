import { addressOf } from '../../client/address.ts';
import { altOf } from '../../design/title.ts';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { addresses as text } from '../../text/image-details.ts';
import { Section } from '../section.tsx';
import { AddressRow } from './address-row.tsx';
import styles from './addresses.module.css';
import { toHtml, toMarkdown } from './markup.ts';
import { SignedAddress } from './signed-address.tsx';
import { VariantAddress } from './variant-address.tsx';

/** Addresses of the image, to copy. */
export function Addresses({ image }: { readonly image: ImageDetailsFragment }) {
  const { url, width, height } = image;
  const absolute = url ? addressOf(url) : null;
  const shown = { alt: altOf(image), width, height };
  return (
    <Section title={text.title}>
      <AddressRow label={text.page} value={addressOf(`image/${image.uuid}`)} />
      {absolute ? (
        <>
          <AddressRow label={text.original} value={absolute} />
          <AddressRow label={text.markdown} value={toMarkdown({ ...shown, url: absolute })} />
          <AddressRow label={text.html} value={toHtml({ ...shown, url: absolute })} />
          {image.visibility === 'PRIVATE' ? <p className={styles.hint}>{text.private}</p> : null}
          <VariantAddress key={`${image.id} variant`} image={image} />
          <SignedAddress key={image.id} image={image} />
        </>
      ) : null}
    </Section>
  );
}
