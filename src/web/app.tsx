import { Suspense } from 'react';
import { Provider } from 'urql';
import { Link, Route, Router, Switch, useLocation } from 'wouter';
import { basePath } from './client/address.ts';
import { makeClient } from './client/client.ts';
import { SessionProvider } from './client/session.tsx';
import { FaultBoundary, loadLater } from './design/load-later.tsx';
import { Notice } from './design/notice.tsx';
import GalleryPage from './gallery/gallery-page.tsx';
import { Shell } from './shell/shell.tsx';
import { text } from './text/shared.ts';

const ImagePage = loadLater(() => import('./image/image-page.tsx'));
const MakePage = loadLater(() => import('./make/make-page.tsx'));
const UploadPage = loadLater(() => import('./upload/upload-page.tsx'));
const OverviewPage = loadLater(() => import('./overview/overview-page.tsx'));
const StoresPage = loadLater(() => import('./stores/stores-page.tsx'));
const TokensPage = loadLater(() => import('./tokens/tokens-page.tsx'));
const AuditPage = loadLater(() => import('./audit/audit-page.tsx'));
const RetentionPage = loadLater(() => import('./retention/retention-page.tsx'));
const WebhooksPage = loadLater(() => import('./webhooks/webhooks-page.tsx'));
const TrashPage = loadLater(() => import('./trash/trash-page.tsx'));

const client = makeClient();

export function App() {
  return (
    <Provider value={client}>
      <Router base={basePath.replace(/\/$/, '')}>
        <SessionProvider>
          <Shell>
            <Content />
          </Shell>
        </SessionProvider>
      </Router>
    </Provider>
  );
}

/** The present page. What fails in it leaves the frame around it as it is. */
function Content() {
  const [location] = useLocation();
  return (
    <FaultBoundary page={location}>
      <Suspense fallback={null}>
        <Pages />
      </Suspense>
    </FaultBoundary>
  );
}

const Pages = () => (
  <Switch>
    <Route path="/" component={GalleryPage} />
    <Route path="/image/:uuid">{({ uuid }) => <ImagePage uuid={uuid} />}</Route>
    <Route path="/make" component={MakePage} />
    <Route path="/upload" component={UploadPage} />
    <Route path="/overview" component={OverviewPage} />
    <Route path="/stores" component={StoresPage} />
    <Route path="/tokens" component={TokensPage} />
    <Route path="/audit" component={AuditPage} />
    <Route path="/retention" component={RetentionPage} />
    <Route path="/webhooks" component={WebhooksPage} />
    <Route path="/trash" component={TrashPage} />
    <Route>
      <Notice icon="search" title={text.notFound}>
        <Link href="/">{text.toGallery}</Link>
      </Notice>
    </Route>
  </Switch>
);
