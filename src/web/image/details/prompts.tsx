import { type ReactNode, useId, useLayoutEffect, useRef, useState } from 'react';
import { Button } from '../../design/button.tsx';
import { CopyButton } from '../../design/copy-button.tsx';
import type { ImageDetailsFragment } from '../../generated/graphql.ts';
import { actions } from '../../text/image.ts';
import { prompts } from '../../text/image-details.ts';
import { Section } from '../section.tsx';
import styles from './prompts.module.css';

/** The prompts of the image, as they were given and as programs changed them. */
export function Prompts({ image }: { readonly image: ImageDetailsFragment }) {
  const negative = image.provenance?.negativePrompt;
  const copy = image.prompt === '' ? null : <CopyButton value={image.prompt} label={actions.copyPrompt} />;
  return (
    <Section title={prompts.title} actions={copy}>
      {image.prompt === '' ? (
        <p className={styles.none}>{prompts.none}</p>
      ) : (
        <Long key={image.uuid} className={styles.prompt}>
          {image.prompt}
        </Long>
      )}
      {image.revisedPrompt ? (
        <Other title={prompts.revised} copyLabel={prompts.copyRevised} value={image.revisedPrompt} />
      ) : null}
      {negative ? (
        <Other
          title={`${prompts.negative} (${prompts.negativeSource})`}
          copyLabel={prompts.copyNegative}
          value={negative}
        />
      ) : null}
    </Section>
  );
}

interface OtherProps {
  readonly title: string;
  readonly copyLabel: string;
  readonly value: string;
}

const Other = ({ title, copyLabel, value }: OtherProps) => (
  <div>
    <div className={styles.line}>
      <h3>{title}</h3>
      <CopyButton value={value} label={copyLabel} />
    </div>
    <Long key={value} className={styles.other}>
      {value}
    </Long>
  </div>
);

/** A text of which some lines are shown at first, and all on request. */
function Long({
  className,
  children,
}: {
  readonly className: string | undefined;
  readonly children: ReactNode;
}) {
  const [isOpen, setOpen] = useState(false);
  const [isCut, setCut] = useState(false);
  const paragraph = useRef<HTMLParagraphElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const element = paragraph.current;
    if (element) setCut(element.scrollHeight > element.clientHeight + 1);
  }, []);
  return (
    <>
      <p ref={paragraph} id={id} className={[className, isOpen ? '' : styles.cut].filter(Boolean).join(' ')}>
        {children}
      </p>
      {isCut ? (
        <Button
          kind="quiet"
          className={styles.more ?? ''}
          aria-expanded={isOpen}
          aria-controls={id}
          onClick={() => setOpen(!isOpen)}
        >
          {isOpen ? prompts.less : prompts.more}
        </Button>
      ) : null}
    </>
  );
}
