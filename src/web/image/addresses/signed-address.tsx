import { useState } from 'react';
import { useClient } from 'urql';
import { addressOf } from '../../client/address.ts';
import { messageOf } from '../../client/errors.ts';
import { useSession } from '../../client/session.tsx';
import { Button } from '../../design/button.tsx';
import { Field } from '../../design/field.tsx';
import { formatTime } from '../../design/format.ts';
import { showToast } from '../../design/toast.tsx';
import { ImageAddressDocument, type ImageDetailsFragment } from '../../generated/graphql.ts';
import { addresses as text } from '../../text/image-details.ts';
import { AddressRow } from './address-row.tsx';
import styles from './addresses.module.css';

/** Periods that can be chosen, in hours. */
const HOURS = [1, 6, 24, 72, 168] as const;

interface Signed {
  readonly url: string;
  readonly expiresAt: string;
}

/** A signed address, made on request, because it lets anyone who has it fetch the picture. */
export function SignedAddress({ image }: { readonly image: ImageDetailsFragment }) {
  const { maxSignedUrlSeconds } = useSession().server;
  const client = useClient();
  const [hours, setHours] = useState<number>(HOURS[0]);
  const [signed, setSigned] = useState<Signed | null>(null);
  const periods = HOURS.filter((each) => each * 3600 <= maxSignedUrlSeconds);
  const sign = async () => {
    const seconds = Math.min(hours * 3600, maxSignedUrlSeconds);
    const expiresAt = new Date(Date.now() + seconds * 1000).toISOString();
    const variables = { id: image.uuid, expiresInSeconds: seconds };
    const { data, error } = await client.query(ImageAddressDocument, variables, {
      requestPolicy: 'network-only',
    });
    if (data?.image?.url) setSigned({ url: addressOf(data.image.url), expiresAt });
    else showToast(messageOf(error), { tone: 'bad' });
  };
  return (
    <fieldset className={styles.group}>
      <legend>{text.signed}</legend>
      <p className={styles.hint}>{text.signedHint}</p>
      <div className={styles.choices}>
        <Field label={text.hours}>
          {(control) => (
            <select {...control} value={hours} onChange={({ target }) => setHours(Number(target.value))}>
              {(periods.length > 0 ? periods : HOURS.slice(0, 1)).map((each) => (
                <option key={each} value={each}>
                  {text.hour(each)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Button className={styles.sign ?? ''} icon="link" onClick={sign}>
          {text.sign}
        </Button>
      </div>
      <div role="status">
        {signed ? (
          <>
            <AddressRow label={text.signedLabel} value={signed.url} />
            <p className={styles.hint}>{text.expires(formatTime(signed.expiresAt))}</p>
          </>
        ) : null}
      </div>
    </fieldset>
  );
}
