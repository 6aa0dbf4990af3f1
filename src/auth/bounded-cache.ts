/** Remembers so many things for a while; the one that came first makes way. */
export class BoundedCache<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly until: number }>();
  readonly #maxEntries: number;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get(key: string): Value | null {
    const entry = this.#entries.get(key);
    if (!entry) return null;
    if (entry.until > Date.now()) return entry.value;
    this.#entries.delete(key);
    return null;
  }

  /** @param until in milliseconds, as Date.now() counts. */
  set(key: string, value: Value, until: number): void {
    this.#entries.delete(key);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= this.#maxEntries && oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(key, { value, until });
  }

  clear(): void {
    this.#entries.clear();
  }
}
