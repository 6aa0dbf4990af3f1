import { Menu as Base } from '@base-ui/react/menu';
import type { ReactElement, ReactNode } from 'react';
import { Icon, type IconName } from './icon.tsx';
import styles from './menu.module.css';

interface MenuProps {
  /** The button that opens the menu. */
  readonly trigger: ReactElement<Record<string, unknown>>;
  readonly children: ReactNode;
}

/** A menu below its button, with arrow keys. */
export const Menu = ({ trigger, children }: MenuProps) => (
  <Base.Root>
    <Base.Trigger render={trigger} />
    <Base.Portal>
      <Base.Positioner className={styles.place} sideOffset={6} align="end">
        <Base.Popup className={styles.popup}>{children}</Base.Popup>
      </Base.Positioner>
    </Base.Portal>
  </Base.Root>
);

interface MenuItemProps {
  readonly icon?: IconName;
  readonly onSelect: () => void;
  readonly disabled?: boolean;
  readonly children: ReactNode;
}

export const MenuItem = ({ icon, onSelect, disabled = false, children }: MenuItemProps) => (
  <Base.Item className={styles.item} onClick={onSelect} disabled={disabled}>
    {icon ? <Icon name={icon} /> : null}
    {children}
  </Base.Item>
);

export const MenuLabel = ({ children }: { readonly children: ReactNode }) => (
  <div className={styles.label}>{children}</div>
);

export const MenuLine = () => <Base.Separator className={styles.line} />;
