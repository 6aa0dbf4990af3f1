import { useLocation } from 'wouter';
import { copyAndSay } from '../design/copy-button.tsx';
import type { ImageDetailsFragment } from '../generated/graphql.ts';
import { type KeyBinding, useKeys } from '../state/keys.ts';
import type { Neighbours } from '../state/neighbours.ts';
import { copied, keys, page } from '../text/image.ts';
import { Addresses } from './addresses/addresses.tsx';
import { Copies } from './copies/copies.tsx';
import { Attempts } from './details/attempts.tsx';
import { Duplicates } from './details/duplicates.tsx';
import { Facts } from './details/facts.tsx';
import { Head } from './details/head.tsx';
import { Prompts } from './details/prompts.tsx';
import { FileProvenance } from './details/provenance.tsx';
import { FileSettings } from './edit/file-settings.tsx';
import { Metadata } from './edit/metadata.tsx';
import { Tags } from './edit/tags.tsx';
import { useImageActions } from './edit/use-actions.ts';
import { Family } from './family/family.tsx';
import styles from './image-page.module.css';
import { Stage } from './stage/stage.tsx';

interface ImageViewProps {
  readonly image: ImageDetailsFragment;
  readonly around: Neighbours | undefined;
}

/** An image: its picture, and everything that is known about it. */
export function ImageView({ image, around }: ImageViewProps) {
  useActionKeys(image);
  return (
    <article className={styles.page}>
      <Stage image={image} around={around} />
      <section className={styles.panel} aria-label={page.details}>
        <Head image={image} />
        <Prompts image={image} />
        <Tags image={image} />
        <Copies key={image.id} image={image} />
        <Family image={image} />
        <Facts image={image} />
        <FileSettings image={image} />
        <Addresses image={image} />
        <FileProvenance image={image} />
        <Metadata key={`${image.id} metadata`} image={image} />
        <Duplicates image={image} />
        <Attempts image={image} />
      </section>
    </article>
  );
}

function useActionKeys(image: ImageDetailsFragment): void {
  const [, navigate] = useLocation();
  const { mayWrite, mayGenerate, remove } = useImageActions(image);
  const bindings: (KeyBinding | false)[] = [
    image.prompt !== '' && {
      key: 'c',
      label: keys.copyPrompt,
      run: () => void copyAndSay(image.prompt, copied.prompt),
    },
    mayGenerate &&
      Boolean(image.url) && {
        key: 'e',
        label: keys.edit,
        run: () => navigate(`/make?edit=${image.uuid}`),
      },
    mayWrite && !image.deletedAt && { key: 'x', label: keys.remove, run: () => void remove() },
  ];
  useKeys(bindings.filter((binding) => binding !== false));
}
