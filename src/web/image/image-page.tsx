import { Page } from '../design/page.tsx';
import { shell } from '../text/shared.ts';

/** Page of one image. @param props.uuid `Image.uuid` */
export default function ImagePage({ uuid }: { readonly uuid: string }) {
  return <Page title={shell.gallery}>{uuid}</Page>;
}
