import { noteCall } from '../../metrics.ts';
import type { Observers } from '../../observers.ts';
import type { Attributes } from '../../tracing.ts';
import type { ByteRange, Store } from './store.ts';

/**
 * Returns a store whose calls are counted and timed, and recorded as spans. The call of `open` ends when the
 * stream is open, not when it has been read. A listing is not observed.
 */
export function observed(store: Store, { metrics, tracing }: Observers): Store {
  const { readInto, readWhole } = store;

  function traced<Result>(
    operation: string,
    key: string,
    call: () => Promise<Result>,
    more: Attributes = {},
  ): Promise<Result> {
    const noted = () => noteCall(metrics.storeCalls, { store: store.name, call: operation }, call);
    if (!tracing) return noted();
    const attributes = {
      'fixative.store.name': store.name,
      'fixative.store.kind': store.kind,
      'fixative.store.key': key,
      ...more,
    };
    return tracing.during(`${store.name} ${operation}`, { kind: 'CLIENT', attributes }, noted);
  }

  return {
    // A store may have more than the port, such as `claim`.
    ...store,
    put: (key, source) =>
      traced('put', key, () => store.put(key, source), { 'fixative.bytes': source.bytes }),
    open: (key, range) => traced('open', key, () => store.open(key, range), ofRange(range)),
    stat: (key) => traced('stat', key, () => store.stat(key)),
    delete: (key) => traced('delete', key, () => store.delete(key)),
    ...(readInto && {
      readInto: (key, range, buffer) =>
        traced('read', key, () => readInto.call(store, key, range, buffer), ofRange(range)),
    }),
    ...(readWhole && {
      readWhole: (key, buffer) => traced('read', key, () => readWhole.call(store, key, buffer)),
    }),
  };
}

const ofRange = (range?: ByteRange): Attributes =>
  range ? { 'fixative.range.start': range.start, 'fixative.range.end': range.end } : {};
