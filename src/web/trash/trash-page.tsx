import { Page } from '../design/page.tsx';
import { shell } from '../text/shared.ts';

export default function TrashPage() {
  return <Page title={shell.trash}>{null}</Page>;
}
