import { type RefObject, useEffect } from 'react';

const FOCUSABLE =
  'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary';

/**
 * Moves the focus of a keyboard on when its element is removed, such as a button that deletes its own row.
 * It goes to what comes after the element, else to what precedes it. A browser leaves it nowhere.
 */
export function useKeptFocus(root: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = root.current;
    if (!element) return;
    let last: Element | null = null;
    // After a tap, a focus that moves into a field would open the keyboard of a phone.
    const note = ({ target, type }: Event) => {
      last = type === 'keydown' || (target as Element).matches(':focus-visible') ? (target as Element) : null;
    };
    const observer = new MutationObserver((records) => {
      if (!last || last.isConnected || document.activeElement !== document.body) return;
      const lost = last;
      last = null;
      const removal = records.find(
        ({ target, removedNodes }) =>
          target.isConnected && [...removedNodes].some((node) => node.contains(lost)),
      );
      if (removal) neighbourOf(removal, element).focus({ preventScroll: true });
    });
    const events = ['focusin', 'keydown'];
    for (const type of events) element.addEventListener(type, note);
    observer.observe(element, { childList: true, subtree: true });
    return () => {
      for (const type of events) element.removeEventListener(type, note);
      observer.disconnect();
    };
  }, [root]);
}

/** Returns the control that is nearest to a place from which an element was removed. */
function neighbourOf({ target, previousSibling }: MutationRecord, root: HTMLElement): HTMLElement {
  const isAfter = (each: Node) =>
    previousSibling === null ||
    (!previousSibling.contains(each) &&
      (previousSibling.compareDocumentPosition(each) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0);
  for (let around: Node | null = target; around && root.contains(around); around = around.parentNode) {
    const controls = [...(around as Element).querySelectorAll<HTMLElement>(FOCUSABLE)].filter((each) =>
      each.checkVisibility({ visibilityProperty: true }),
    );
    const found = controls.find(isAfter) ?? controls.at(-1);
    if (found) return found;
  }
  return root;
}
