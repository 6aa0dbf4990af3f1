/** Selected images, by `id`. It holds ids that the window of the list no longer does. */
export interface Selection {
  readonly ids: ReadonlySet<string>;
  /** Image from which a range with Shift starts. */
  readonly anchor?: string | undefined;
}

export const NOTHING: Selection = { ids: new Set() };

/** Adds or removes one image, which becomes the start of the next range. */
export function toggle({ ids }: Selection, id: string): Selection {
  const next = new Set(ids);
  if (!next.delete(id)) next.add(id);
  return { ids: next, anchor: id };
}

/** Selects everything from the start of the range to an image, both included, in the order of the list. */
export function extend(selection: Selection, id: string, order: readonly string[]): Selection {
  const from = selection.anchor === undefined ? -1 : order.indexOf(selection.anchor);
  const to = order.indexOf(id);
  if (from < 0 || to < 0) return toggle(selection, id);
  const range = order.slice(Math.min(from, to), Math.max(from, to) + 1);
  return { ids: new Set([...selection.ids, ...range]), anchor: selection.anchor };
}

/** Adds every given image. */
export const selectAll = ({ ids, anchor }: Selection, order: readonly string[]): Selection => ({
  ids: new Set([...ids, ...order]),
  anchor,
});

/** Removes images, such as those that were purged. */
export function deselect({ ids, anchor }: Selection, gone: ReadonlySet<string>): Selection {
  return { ids: new Set([...ids].filter((id) => !gone.has(id))), anchor };
}
