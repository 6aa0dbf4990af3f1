import { useEffect, useRef } from 'react';
import { makeSignal, type Signal } from './signal.ts';

/** A key of the present page. */
export interface KeyBinding {
  /**
   * `KeyboardEvent.key`, such as `ArrowRight`; `mod+a` needs Ctrl or Cmd, `shift+x` needs Shift.
   * `Arrows` stands for all four, in the list only.
   */
  readonly key: string;
  /** Effect of the key, for the list of keys. */
  readonly label: string;
  /** Effect; absent: an element of the page handles the key itself, and the list alone names it. */
  readonly run?: (event: KeyboardEvent) => void;
}

const groups = makeSignal<readonly (readonly KeyBinding[])[]>([]);

/** The keys of everything on the screen, for the list of keys. */
export const keyGroups: Signal<readonly (readonly KeyBinding[])[]> = groups;

/** Binds keys while the component is on the screen. They do nothing in fields, dialogs and menus. */
export function useKeys(bindings: readonly KeyBinding[]): void {
  const latest = useRef(bindings);
  latest.current = bindings;
  const names = bindings.map(({ key, label }) => `${key} ${label}`).join('\n');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the names stand for the bindings.
  useEffect(() => {
    const group = latest.current;
    groups.set([...groups.get(), group]);
    return () => groups.set(groups.get().filter((each) => each !== group));
  }, [names]);
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || isElsewhere(event)) return;
      const binding = latest.current.find(({ key, run }) => run && matches(key, event));
      if (!binding?.run) return;
      event.preventDefault();
      binding.run(event);
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, []);
}

function matches(binding: string, event: KeyboardEvent): boolean {
  const parts = binding.split('+');
  const key = parts.pop() || '+';
  if (parts.includes('mod') !== (event.ctrlKey || event.metaKey)) return false;
  if (event.altKey) return false;
  // A sign such as `?` needs Shift on some keyboards and not on others.
  if (/^[a-z]$|^[A-Z]\w/.test(key) && parts.includes('shift') !== event.shiftKey) return false;
  return event.key.toLowerCase() === key.toLowerCase();
}

/** Fields, and what opens above the page: they handle their keys themselves. */
const OTHERS =
  'input:not([type=checkbox]), textarea, select, [role=menu], [role=dialog], [aria-modal=true], [data-popup]';

/** Whether the event goes to a field, or to a dialog or menu above the page. */
function isElsewhere({ target }: KeyboardEvent): boolean {
  if (document.querySelector('dialog:modal, :popover-open') !== null) return true;
  return target instanceof HTMLElement && (target.isContentEditable || target.closest(OTHERS) !== null);
}
