import { Component, type ComponentType, type LazyExoticComponent, lazy, type ReactNode } from 'react';
import { text } from '../text/shared.ts';
import { ErrorNotice } from './notice.tsx';

/** Returns a component whose code loads when it is first shown. A notice stands for code that cannot load. */
export const loadLater = <Props extends object>(
  load: () => Promise<{ default: ComponentType<Props> }>,
): LazyExoticComponent<ComponentType<Props>> => lazy(() => load().catch(() => ({ default: NotLoaded })));

const NotLoaded = () => (
  <ErrorNotice message={text.notLoaded} onRetry={() => void reloadIfReachable()} isPage />
);

/** Loads the document again, with the names of the present files. Without a server it would be lost. */
async function reloadIfReachable(): Promise<void> {
  const answer = await fetch(document.baseURI, { method: 'HEAD', cache: 'no-store' }).catch(() => null);
  if (answer?.ok) location.reload();
}

interface BoundaryProps {
  /** Address of the page; another one is tried afresh. */
  readonly page: string;
  readonly children: ReactNode;
}

/** Shows a notice in place of a page that throws, so that the navigation stays. */
export class FaultBoundary extends Component<BoundaryProps, { failedPage: string | null }> {
  static getDerivedStateFromProps({ page }: BoundaryProps, { failedPage }: { failedPage: string | null }) {
    return failedPage === null || failedPage === '' || failedPage === page ? null : { failedPage: null };
  }

  static getDerivedStateFromError() {
    return { failedPage: '' };
  }

  override state = { failedPage: null };

  override componentDidCatch() {
    this.setState({ failedPage: this.props.page });
  }

  override render() {
    return this.state.failedPage === null ? (
      this.props.children
    ) : (
      <ErrorNotice message={text.pageFailed} onRetry={() => void reloadIfReachable()} isPage />
    );
  }
}
