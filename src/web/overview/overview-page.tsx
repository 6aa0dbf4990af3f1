import { Page } from '../design/page.tsx';
import { shell } from '../text/shared.ts';

export default function OverviewPage() {
  return <Page title={shell.overview}>{null}</Page>;
}
