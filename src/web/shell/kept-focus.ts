import { type RefObject, useEffect } from 'react';

const FOCUSABLE =
  'a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary';

/**
 * Moves the focus on when its element is removed, such as a button that deletes its own row: to what comes
 * after it, else to what precedes it. A browser would leave the focus nowhere.
 */
export function useKeptFocus(root: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const element = root.current;
    if (!element) return;
    let last: Node | null = null;
    const note = ({ target }: FocusEvent) => {
      last = target as Node;
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
    element.addEventListener('focusin', note);
    observer.observe(element, { childList: true, subtree: true });
    return () => {
      element.removeEventListener('focusin', note);
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
