import styles from './spoken.module.css';

/** Class of texts that screen readers alone say. */
export const spoken = styles.spoken as string;

/** A text for screen readers alone, said when it changes. */
export const Spoken = ({ children }: { readonly children: string }) => (
  <p className={spoken} role="status">
    {children}
  </p>
);
