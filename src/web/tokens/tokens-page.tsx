import { useState } from 'react';
import { useQuery } from 'urql';
import { messageOf } from '../client/errors.ts';
import { useRefreshWhenShown } from '../client/refresh.ts';
import { useMay } from '../client/session.tsx';
import { Button } from '../design/button.tsx';
import { formatCount } from '../design/format.ts';
import { ErrorNotice, Notice } from '../design/notice.tsx';
import { Card, Page } from '../design/page.tsx';
import { Skeleton } from '../design/skeleton.tsx';
import { TokensDocument, type TokensQuery } from '../generated/graphql.ts';
import { shell } from '../text/shared.ts';
import { tokens as text } from '../text/tokens.ts';
import { CreateDialog } from './create-dialog.tsx';
import { NewTokenDialog } from './new-token-dialog.tsx';
import { RevokeDialog } from './revoke-dialog.tsx';
import { TokenTable } from './token-table.tsx';
import styles from './tokens.module.css';

type Token = TokensQuery['tokens'][number];

/** Most tokens that the server returns. */
const MOST = 1000;

export default function TokensPage() {
  const mayManage = useMay('ADMIN');
  if (mayManage) return <Tokens />;
  return (
    <Page title={shell.tokens}>
      <Notice icon="lock" title={text.notAllowed}>
        <p>{text.notAllowedHint}</p>
      </Notice>
    </Page>
  );
}

function Tokens() {
  const [revoked, setRevoked] = useState(false);
  const [creates, setCreates] = useState(false);
  const [made, setMade] = useState<{ readonly name: string; readonly token: string } | null>(null);
  const [revoking, setRevoking] = useState<Token | null>(null);
  const [{ data, error, fetching }, read] = useQuery({
    query: TokensDocument,
    variables: { revoked },
    requestPolicy: 'cache-and-network',
  });
  const refresh = () => read({ requestPolicy: 'network-only' });
  useRefreshWhenShown(refresh);
  return (
    <Page
      title={shell.tokens}
      actions={
        <Button kind="primary" icon="plus" onClick={() => setCreates(true)}>
          {text.create}
        </Button>
      }
    >
      <div className={styles.head}>
        <p>{text.intro}</p>
        <label className={styles.toggle}>
          <input type="checkbox" checked={revoked} onChange={(event) => setRevoked(event.target.checked)} />
          {text.showRevoked}
        </label>
      </div>
      <TokenList
        tokens={data?.tokens.filter(({ revokedAt }) => revoked || revokedAt === null)}
        error={error && !data ? messageOf(error) : undefined}
        fetching={fetching}
        onRetry={refresh}
        onRevoke={setRevoking}
      />
      <CreateDialog
        open={creates}
        onClose={() => setCreates(false)}
        onCreated={(token) => {
          setCreates(false);
          setMade(token);
          refresh();
        }}
      />
      <NewTokenDialog made={made} onClose={() => setMade(null)} />
      <RevokeDialog token={revoking} onClose={() => setRevoking(null)} />
    </Page>
  );
}

interface TokenListProps {
  readonly tokens: readonly Token[] | undefined;
  readonly error: string | undefined;
  readonly fetching: boolean;
  readonly onRetry: () => void;
  readonly onRevoke: (token: Token) => void;
}

function TokenList({ tokens, error, fetching, onRetry, onRevoke }: TokenListProps) {
  if (error !== undefined) return <ErrorNotice message={error} onRetry={onRetry} />;
  if (!tokens)
    return (
      <Card>
        <Skeleton lines={5} />
      </Card>
    );
  if (tokens.length === 0 && !fetching)
    return (
      <Notice icon="tokens" title={text.empty}>
        <p>{text.emptyHint}</p>
      </Notice>
    );
  return (
    <Card>
      <TokenTable tokens={tokens} onRevoke={onRevoke} />
      {tokens.length >= MOST ? <p className={styles.note}>{text.mostShown(formatCount(MOST))}</p> : null}
    </Card>
  );
}
