import { lazy, Suspense } from 'react';
import { Provider } from 'urql';
import { Link, Route, Router, Switch } from 'wouter';
import { basePath } from './client/address.ts';
import { makeClient } from './client/client.ts';
import { SessionProvider } from './client/session.tsx';
import { Notice } from './design/notice.tsx';
import GalleryPage from './gallery/gallery-page.tsx';
import { Shell } from './shell/shell.tsx';
import { text } from './text/shared.ts';

const ImagePage = lazy(() => import('./image/image-page.tsx'));
const MakePage = lazy(() => import('./make/make-page.tsx'));
const UploadPage = lazy(() => import('./upload/upload-page.tsx'));
const OverviewPage = lazy(() => import('./overview/overview-page.tsx'));
const StoresPage = lazy(() => import('./stores/stores-page.tsx'));
const TokensPage = lazy(() => import('./tokens/tokens-page.tsx'));
const TrashPage = lazy(() => import('./trash/trash-page.tsx'));

const client = makeClient();

export function App() {
  return (
    <Provider value={client}>
      <Router base={basePath.replace(/\/$/, '')}>
        <SessionProvider>
          <Shell>
            <Suspense fallback={null}>
              <Pages />
            </Suspense>
          </Shell>
        </SessionProvider>
      </Router>
    </Provider>
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
    <Route path="/trash" component={TrashPage} />
    <Route>
      <Notice icon="search" title={text.notFound}>
        <Link href="/">{text.toGallery}</Link>
      </Notice>
    </Route>
  </Switch>
);
