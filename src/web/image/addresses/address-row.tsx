import { useId } from 'react';
import { CopyButton } from '../../design/copy-button.tsx';
import { addresses as text } from '../../text/image-details.ts';
import styles from './addresses.module.css';

interface AddressRowProps {
  readonly label: string;
  /** The address or markup; null while it is not known. */
  readonly value: string | null;
}

/** A text to copy, in a field from which it can also be selected. */
export function AddressRow({ label, value }: AddressRowProps) {
  const id = useId();
  return (
    <div className={styles.row}>
      <label className={styles.label} htmlFor={id}>
        {label}
      </label>
      <input
        id={id}
        className={styles.value}
        value={value ?? ''}
        readOnly
        onFocus={(event) => event.currentTarget.select()}
      />
      <CopyButton value={value ?? ''} label={text.copy(label)} />
    </div>
  );
}
