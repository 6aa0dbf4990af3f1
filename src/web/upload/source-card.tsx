import { useRef, useState } from 'react';
import { useSession } from '../client/session.tsx';
import { Button } from '../design/button.tsx';
import { formatBytes } from '../design/format.ts';
import { Icon, type IconName } from '../design/icon.tsx';
import { upload as text } from '../text/upload.ts';
import { AddressDialog } from './address-dialog.tsx';
import styles from './upload.module.css';

/** Types that the server keeps. With them, phones convert their own formats. */
const TYPES = 'image/png,image/jpeg,image/webp,image/gif,image/avif';

interface SourceCardProps {
  readonly onFiles: (files: readonly File[]) => void;
  readonly onAddresses: (urls: readonly string[]) => void;
}

/** The ways to choose images. */
export function SourceCard({ onFiles, onAddresses }: SourceCardProps) {
  const [asksAddresses, setAsksAddresses] = useState(false);
  const { maxUploadBytes } = useSession().server;
  return (
    <section className={styles.source}>
      <Icon name="upload" size={32} />
      <div className={styles.sourceText}>
        <h2>
          <span className={styles.withMouse}>{text.drop}</span>
          <span className={styles.withTouch}>{text.choose}</span>
        </h2>
        <p className={styles.soft}>
          {text.dropHint}, {text.limit(formatBytes(maxUploadBytes))}
        </p>
      </div>
      <div className={styles.buttons}>
        <FileButton
          kind="primary"
          icon="gallery"
          label={text.chooseFiles}
          onFiles={onFiles}
          multiple
          accept={TYPES}
        />
        <span className={styles.withMouse}>
          <FileButton icon="folder" label={text.chooseFolder} onFiles={onFiles} multiple webkitdirectory="" />
        </span>
        <span className={styles.withTouch}>
          <FileButton
            icon="camera"
            label={text.takePhoto}
            onFiles={onFiles}
            accept={TYPES}
            capture="environment"
          />
        </span>
        <Button icon="link" onClick={() => setAsksAddresses(true)}>
          {text.fromWeb}
        </Button>
      </div>
      <AddressDialog open={asksAddresses} onClose={() => setAsksAddresses(false)} onAddresses={onAddresses} />
    </section>
  );
}

interface FileButtonProps {
  readonly kind?: 'plain' | 'primary';
  readonly icon: IconName;
  readonly label: string;
  readonly onFiles: (files: readonly File[]) => void;
  readonly multiple?: boolean;
  readonly accept?: string;
  readonly capture?: 'environment';
  readonly webkitdirectory?: string;
}

function FileButton({ kind = 'plain', icon, label, onFiles, ...rest }: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button kind={kind} icon={icon} onClick={() => input.current?.click()}>
        {label}
      </Button>
      <input
        {...rest}
        ref={input}
        type="file"
        hidden
        aria-label={label}
        onChange={({ target }) => {
          onFiles([...(target.files ?? [])]);
          // Lets the person choose a file a second time.
          target.value = '';
        }}
      />
    </>
  );
}
