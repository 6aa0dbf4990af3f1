import { Page } from '../design/page.tsx';
import { shell } from '../text/shared.ts';

export default function StoresPage() {
  return <Page title={shell.stores}>{null}</Page>;
}
