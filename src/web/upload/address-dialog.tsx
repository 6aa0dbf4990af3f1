import { useState } from 'react';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { Field } from '../design/field.tsx';
import { text as common } from '../text/shared.ts';
import { upload as text } from '../text/upload.ts';
import { addressesOf } from './addresses.ts';

interface AddressDialogProps {
  readonly open: boolean;
  readonly onClose: () => void;
  readonly onAddresses: (urls: readonly string[]) => void;
}

/** Asks for addresses of images. */
export function AddressDialog({ open, onClose, onAddresses }: AddressDialogProps) {
  const [content, setContent] = useState('');
  const [fault, setFault] = useState<string>();
  const submit = () => {
    const { urls, wrong } = addressesOf(content);
    if (wrong.length > 0) return setFault(text.notAddresses(wrong));
    if (urls.length === 0) return setFault(text.noAddresses);
    onAddresses(urls);
    setContent('');
    setFault(undefined);
    return onClose();
  };
  return (
    <Dialog
      title={text.fromWeb}
      open={open}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{common.cancel}</Button>
          <Button kind="primary" icon="download" onClick={submit}>
            {text.importThem}
          </Button>
        </>
      }
    >
      <Field label={text.addresses} hint={text.addressesHint} error={fault}>
        {(control) => (
          <textarea
            {...control}
            rows={6}
            value={content}
            onChange={({ target }) => setContent(target.value)}
            placeholder="https://"
            spellCheck={false}
            autoCapitalize="off"
          />
        )}
      </Field>
    </Dialog>
  );
}
