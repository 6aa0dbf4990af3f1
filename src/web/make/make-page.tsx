import { useQuery } from 'urql';
import { messageOf } from '../client/errors.ts';
import { useMay } from '../client/session.tsx';
import { ErrorNotice, Notice } from '../design/notice.tsx';
import { Page } from '../design/page.tsx';
import { MakeCatalogueDocument } from '../generated/graphql.ts';
import { make as text } from '../text/make.ts';
import { shell } from '../text/shared.ts';
import { MakeForm } from './form/make-form.tsx';
import styles from './make.module.css';
import { Results } from './results/results.tsx';

export default function MakePage() {
  const mayMake = useMay('IMAGES_GENERATE');
  return (
    <Page title={shell.make}>
      {mayMake ? (
        <Studio />
      ) : (
        <Notice icon="lock" title={text.noScope}>
          <p>{text.noScopeHint}</p>
        </Notice>
      )}
    </Page>
  );
}

function Studio() {
  const [{ data, error }, retry] = useQuery({ query: MakeCatalogueDocument });
  const mayRead = useMay('IMAGES_READ');
  if (error && !data)
    return (
      <ErrorNotice message={messageOf(error)} onRetry={() => retry({ requestPolicy: 'network-only' })} />
    );
  return (
    <div className={styles.columns}>
      {data ? (
        <MakeForm tools={data.tools} models={data.models} />
      ) : (
        <div className={styles.skeleton} aria-busy="true" />
      )}
      {mayRead ? <Results /> : null}
    </div>
  );
}
