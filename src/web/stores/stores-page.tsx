import { Page } from '../design/page.tsx';
import { shell } from '../text/common.ts';

export default function StoresPage() {
  return <Page title={shell.stores}>{null}</Page>;
}
