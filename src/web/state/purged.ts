const listeners = new Set<(id: string) => void>();

/** Images that this tab has purged, for lists that may show them. The server sends no event of it. */
export const purged = {
  /** Tells every list. @param id `Image.id` */
  tell(id: string): void {
    for (const listener of listeners) listener(id);
  },
  /** Calls `listener` with the id of each purged image. Returns a function that ends it. */
  subscribe(listener: (id: string) => void): () => void {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  },
};
