import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Link, useLocation, useSearch } from 'wouter';
import { addressOf } from '../client/address.ts';
import { useMay } from '../client/session.tsx';
import { IconButton } from '../design/button.tsx';
import { Icon } from '../design/icon.tsx';
import { Toasts } from '../design/toast.tsx';
import logo from '../logo.svg';
import { useKeys } from '../state/keys.ts';
import { shell, text } from '../text/shared.ts';
import { AccountMenu } from './account-menu.tsx';
import { EndedSession } from './ended-session.tsx';
import { useKeptFocus } from './kept-focus.ts';
import { KeysDialog } from './keys-dialog.tsx';
import { PAGES } from './pages.ts';
import styles from './shell.module.css';

/** The frame around every page: navigation, account, messages. */
export function Shell({ children }: { readonly children: ReactNode }) {
  const [showsKeys, setShowsKeys] = useState(false);
  useKeys([{ key: '?', label: shell.keysTitle, run: () => setShowsKeys(true) }]);
  return (
    <>
      <SkipLink />
      <header className={styles.bar}>
        <Link className={styles.brand} href="/">
          <img src={logo} alt="" />
          {text.product}
        </Link>
        <Navigation />
        <div className={styles.end}>
          <IconButton icon="keyboard" label={shell.keys} onClick={() => setShowsKeys(true)} />
          <AccountMenu />
        </div>
      </header>
      <Offline />
      <Main>{children}</Main>
      <KeysDialog open={showsKeys} onClose={() => setShowsKeys(false)} />
      <EndedSession />
      <Toasts />
    </>
  );
}

/** Link to the content, for keyboards. It names the whole address, because the page has a `<base>`. */
function SkipLink() {
  const [path] = useLocation();
  const search = useSearch();
  const address = addressOf(path.slice(1) + (search ? `?${search}` : ''));
  return (
    <a className={styles.skip} href={`${address}#content`}>
      {text.skip}
    </a>
  );
}

function Navigation() {
  const [location] = useLocation();
  return (
    <nav className={styles.links} aria-label={shell.navigation}>
      {PAGES.map(({ path, icon, label, scope }) => (
        <MayLink key={path} scope={scope}>
          <Link
            className={styles.link}
            href={path}
            title={label}
            aria-label={label}
            aria-current={location === path ? 'page' : undefined}
          >
            <Icon name={icon} />
            <span>{label}</span>
          </Link>
        </MayLink>
      ))}
    </nav>
  );
}

function MayLink({ scope, children }: { scope: (typeof PAGES)[number]['scope']; children: ReactNode }) {
  return useMay(scope) ? children : null;
}

/** The content. It gets the focus when the page changes, so that screen readers begin there. */
function Main({ children }: { readonly children: ReactNode }) {
  const main = useRef<HTMLElement>(null);
  const [location] = useLocation();
  const first = useRef(location);
  useKeptFocus(main);
  useEffect(() => {
    if (first.current === location) return;
    first.current = location;
    main.current?.focus({ preventScroll: true });
  }, [location]);
  return (
    <main className={styles.main} id="content" ref={main} tabIndex={-1}>
      {children}
    </main>
  );
}

function Offline() {
  const [isOnline, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const update = () => setOnline(navigator.onLine);
    addEventListener('online', update);
    addEventListener('offline', update);
    return () => {
      removeEventListener('online', update);
      removeEventListener('offline', update);
    };
  }, []);
  return isOnline ? null : (
    <p className={styles.offline} role="status">
      {text.offline}
    </p>
  );
}
