import { useMay, useSession } from '../client/session.tsx';
import { Notice } from '../design/notice.tsx';
import { Page } from '../design/page.tsx';
import { makeSignal, useSignal } from '../state/signal.ts';
import { shell } from '../text/shared.ts';
import { upload as text } from '../text/upload.ts';
import { DropLayer } from './drop-layer.tsx';
import { DEFAULT_OPTIONS } from './options.ts';
import { OptionsCard } from './options-card.tsx';
import { QueueBar } from './queue-bar.tsx';
import { QueueList } from './queue-list.tsx';
import { SourceCard } from './source-card.tsx';
import styles from './upload.module.css';
import { addAddresses, addFiles, uploads } from './uploads.ts';

/** Options of the next uploads; they stay while other pages are shown. */
const options = makeSignal(DEFAULT_OPTIONS);

export default function UploadPage() {
  const mayUpload = useMay('IMAGES_WRITE');
  return (
    <Page title={shell.upload}>
      {mayUpload ? (
        <Uploader />
      ) : (
        <Notice icon="lock" title={text.noScope}>
          <p>{text.noScopeHint}</p>
        </Notice>
      )}
    </Page>
  );
}

function Uploader() {
  const chosen = useSignal(options);
  const { items } = useSignal(uploads.queue);
  const { maxUploadBytes } = useSession().server;
  const onFiles = (files: readonly File[]) => void addFiles(files, options.get(), maxUploadBytes);
  return (
    <div className={styles.columns}>
      <SourceCard onFiles={onFiles} onAddresses={(urls) => addAddresses(urls, options.get())} />
      <OptionsCard options={chosen} onChange={options.set} />
      <div className={styles.main}>
        {items.length > 0 ? (
          <>
            <QueueBar />
            <QueueList />
          </>
        ) : null}
      </div>
      <DropLayer onFiles={onFiles} />
    </div>
  );
}
