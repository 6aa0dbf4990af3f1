import { Page } from '../design/page.tsx';
import { shell } from '../text/shared.ts';

export default function TokensPage() {
  return <Page title={shell.tokens}>{null}</Page>;
}
