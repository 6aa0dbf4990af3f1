import { createContext, type ReactNode, useContext, useEffect } from 'react';
import { useQuery } from 'urql';
import { ErrorNotice } from '../design/notice.tsx';
import { SessionDocument, type SessionQuery } from '../generated/graphql.ts';
import { variantWidths } from '../state/variant-widths.ts';
import { addressOf } from './address.ts';
import { messageOf } from './errors.ts';

type Scope = SessionQuery['viewer']['scopes'][number];

const SessionContext = createContext<SessionQuery | null>(null);

/** Reads who is logged in before it renders the pages. Without a session it opens the login page. */
export function SessionProvider({ children }: { readonly children: ReactNode }) {
  const [{ data, error, fetching }, retry] = useQuery({ query: SessionDocument });
  const widths = data?.server.variantWidths;
  useEffect(() => variantWidths.set(widths ?? []), [widths]);
  if (data) return <SessionContext value={data}>{children}</SessionContext>;
  if (fetching) return null;
  if ((error?.response as Response | undefined)?.status === 401) {
    location.replace(addressOf('login'));
    return null;
  }
  return <ErrorNotice message={messageOf(error)} onRetry={() => retry({ requestPolicy: 'network-only' })} />;
}

/** Returns who is logged in, and what the server allows. */
export function useSession(): SessionQuery {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('useSession needs a SessionProvider above it');
  return session;
}

/** Returns whether the caller may do what needs the scope. */
export function useMay(scope: Scope): boolean {
  const { scopes } = useSession().viewer;
  return scopes.includes(scope) || scopes.includes('ADMIN');
}
