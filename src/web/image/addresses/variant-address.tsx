import { useState } from 'react';
import { useQuery } from 'urql';
import { addressOf } from '../../client/address.ts';
import { useSession } from '../../client/session.tsx';
import { Field } from '../../design/field.tsx';
import { formatCount } from '../../design/format.ts';
import { altOf } from '../../design/title.ts';
import {
  ImageAddressDocument,
  type ImageDetailsFragment,
  type VariantFormat,
} from '../../generated/graphql.ts';
import { addresses as text } from '../../text/image-details.ts';
import { AddressRow } from './address-row.tsx';
import styles from './addresses.module.css';
import { sizeOfVariant, toHtml } from './markup.ts';

const FORMATS = ['AUTO', 'WEBP', 'AVIF', 'JPEG', 'PNG'] as const satisfies readonly VariantFormat[];

/** The address of a variant: a width and a format to choose. */
export function VariantAddress({ image }: { readonly image: ImageDetailsFragment }) {
  const { variantWidths } = useSession().server;
  const original = { width: image.width ?? 1, height: image.height ?? 1 };
  const widths = variantWidths.filter((width) => width < original.width);
  const [chosen, setWidth] = useState<number | null>(widths.at(-1) ?? null);
  const [format, setFormat] = useState<VariantFormat>('AUTO');
  const width = chosen !== null && widths.includes(chosen) ? chosen : null;
  const [{ data }] = useQuery({
    query: ImageAddressDocument,
    variables: { id: image.uuid, transform: { width, format } },
  });
  const url = data?.image?.id === image.id && data.image.url ? addressOf(data.image.url) : null;
  const html = url && toHtml({ url, alt: altOf(image), ...sizeOfVariant(original, width) });
  return (
    <fieldset className={styles.group}>
      <legend>{text.variant}</legend>
      <div className={styles.choices}>
        <Field label={text.width}>
          {(control) => (
            <select
              {...control}
              value={width ?? ''}
              onChange={({ target }) => setWidth(target.value === '' ? null : Number(target.value))}
            >
              {widths.map((each) => (
                <option key={each} value={each}>
                  {text.pixels(formatCount(each))}
                </option>
              ))}
              <option value="">{`${text.full} (${text.pixels(formatCount(original.width))})`}</option>
            </select>
          )}
        </Field>
        <Field label={text.format}>
          {(control) => (
            <select
              {...control}
              value={format}
              onChange={({ target }) => setFormat(target.value as VariantFormat)}
            >
              {FORMATS.map((each) => (
                <option key={each} value={each}>
                  {text.formats[each]}
                </option>
              ))}
            </select>
          )}
        </Field>
      </div>
      <AddressRow label={text.address} value={url} />
      <AddressRow label={text.html} value={html} />
    </fieldset>
  );
}
