import { Page } from '../design/page.tsx';
import { shell } from '../text/shared.ts';

export default function MakePage() {
  return <Page title={shell.make}>{null}</Page>;
}
