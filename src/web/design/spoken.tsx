import styles from './spoken.module.css';

/** A text for screen readers alone, said when it changes. */
export const Spoken = ({ children }: { readonly children: string }) => (
  <p className={styles.spoken} role="status">
    {children}
  </p>
);
