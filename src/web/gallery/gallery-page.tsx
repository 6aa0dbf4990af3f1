import { Page } from '../design/page.tsx';
import { shell } from '../text/shared.ts';

export default function GalleryPage() {
  return <Page title={shell.gallery}>{null}</Page>;
}
