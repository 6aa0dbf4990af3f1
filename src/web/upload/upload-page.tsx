import { Page } from '../design/page.tsx';
import { shell } from '../text/shared.ts';

export default function UploadPage() {
  return <Page title={shell.upload}>{null}</Page>;
}
