import { Button } from '../design/button.tsx';
import { formatAgo, formatDay, formatTime } from '../design/format.ts';
import { Badge, type Tone } from '../design/notice.tsx';
import { Table } from '../design/page.tsx';
import type { TokensQuery } from '../generated/graphql.ts';
import { tokens as text } from '../text/tokens.ts';
import { stateOf, type TokenState } from './expiry.ts';
import styles from './tokens.module.css';

type Token = TokensQuery['tokens'][number];

interface TokenTableProps {
  readonly tokens: readonly Token[];
  readonly onRevoke: (token: Token) => void;
}

const { columns } = text;

export function TokenTable({ tokens, onRevoke }: TokenTableProps) {
  const now = new Date();
  return (
    <Table label={text.caption} stacks>
      <thead>
        <tr>
          <th scope="col">{columns.name}</th>
          <th scope="col">{columns.user}</th>
          <th scope="col">{columns.scopes}</th>
          <th scope="col">{columns.created}</th>
          <th scope="col">{columns.expires}</th>
          <th scope="col">{columns.lastUsed}</th>
          <th scope="col">{columns.state}</th>
        </tr>
      </thead>
      <tbody>
        {tokens.map((token) => (
          <TokenRow key={token.id} token={token} now={now} onRevoke={onRevoke} />
        ))}
      </tbody>
    </Table>
  );
}

interface TokenRowProps {
  readonly token: Token;
  readonly now: Date;
  readonly onRevoke: (token: Token) => void;
}

const TONES: Record<TokenState, Tone> = { active: 'good', expired: 'warn', revoked: 'neutral' };

function TokenRow({ token, now, onRevoke }: TokenRowProps) {
  const state = stateOf(token, now);
  return (
    <tr>
      <th scope="row">
        <span className={styles.name}>{token.name}</span>
        <code className={styles.start}>{token.start}…</code>
      </th>
      <td data-label={columns.user}>{token.userId ?? <i>{text.every}</i>}</td>
      <td data-label={columns.scopes}>
        <span className={styles.scopes}>
          {token.scopes.map((scope) => (
            <Badge key={scope}>{text.scopes[scope].name}</Badge>
          ))}
        </span>
      </td>
      <td data-label={columns.created}>
        <Time value={token.createdAt} />
      </td>
      <td data-label={columns.expires}>
        <Time value={token.expiresAt} none={text.never} />
      </td>
      <td data-label={columns.lastUsed}>
        <Ago value={token.lastUsedAt} none={text.neverUsed} />
      </td>
      <td data-label={columns.state}>
        <span className={styles.state}>
          <Badge tone={TONES[state]}>{text.states[state]}</Badge>
          {state === 'revoked' ? null : (
            <Button kind="danger" aria-label={text.revokeOf(token.name)} onClick={() => onRevoke(token)}>
              {text.revoke}
            </Button>
          )}
        </span>
      </td>
    </tr>
  );
}

interface TimeProps {
  readonly value: string | null;
  readonly none?: string;
}

const Time = ({ value, none }: TimeProps) =>
  value === null ? (
    none
  ) : (
    <time dateTime={value} title={formatTime(value)}>
      {formatDay(value)}
    </time>
  );

const Ago = ({ value, none }: TimeProps) =>
  value === null ? (
    none
  ) : (
    <time dateTime={value} title={formatTime(value)}>
      {formatAgo(value)}
    </time>
  );
