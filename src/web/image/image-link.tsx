import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { Icon } from '../design/icon.tsx';
import { Picture } from '../design/picture.tsx';
import { altOf } from '../design/title.ts';
import type { ImageTileFragment } from '../generated/graphql.ts';
import { status } from '../text/image.ts';
import styles from './image-link.module.css';
import { nextEntry } from './way-back.ts';

interface ImageLinkProps {
  readonly image: ImageTileFragment;
  /** Lines beside the picture. */
  readonly children: ReactNode;
  /** Whether this is the image of the page, which has no link. */
  readonly isHere?: boolean;
}

/** A small picture with its title, which leads to the page of the image. */
export function ImageLink({ image, children, isHere = false }: ImageLinkProps) {
  const content = (
    <>
      <span className={styles.picture}>
        {image.url ? (
          <Picture image={image} sizes="56px" alt="" />
        ) : (
          <Icon name={image.deletedAt ? 'trash' : 'warning'} />
        )}
      </span>
      <span className={styles.lines}>
        <span className={styles.title} title={altOf(image)}>
          {altOf(image)}
        </span>
        <span className={styles.note}>
          {children}
          {image.status === 'SUCCESS' ? null : <> · {status[image.status]}</>}
        </span>
      </span>
    </>
  );
  if (isHere)
    return (
      <span className={styles.link} aria-current="page">
        {content}
      </span>
    );
  return (
    <Link className={styles.link} href={`/image/${image.uuid}`} state={nextEntry()}>
      {content}
    </Link>
  );
}
