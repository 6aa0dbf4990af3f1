import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { NotFoundError, StoreError } from '../../errors.ts';
import type { Store } from './store.ts';

/**
 * Keeps objects in the memory of this process, for tests. It is the shortest complete implementation of a
 * store.
 */
export function makeMemoryStore(name = 'memory', maxBytes = Number.POSITIVE_INFINITY): Store {
  const objects = new Map<string, { data: Buffer; version: number }>();
  let version = 0;
  const statOf = (object: { data: Buffer; version: number }) => ({
    bytes: object.data.length,
    fingerprint: `${object.version}`,
  });
  return {
    name,
    kind: 'memory',
    maxBytes,
    async put(key, source) {
      const data = await buffer(source.open()).catch((cause) => {
        throw new StoreError(`${name} could not keep ${key}.`, name, { cause });
      });
      if (data.length !== source.bytes)
        throw new StoreError(`${data.length} bytes of ${key} arrived instead of ${source.bytes}.`, name);
      const object = { data, version: ++version };
      objects.set(key, object);
      return statOf(object);
    },
    async open(key, range) {
      const object = objects.get(key);
      if (!object) throw new NotFoundError(`${name} has no ${key}.`);
      const data = range ? object.data.subarray(range.start, range.end + 1) : object.data;
      return { stat: statOf(object), stream: Readable.from([data], { objectMode: false }) };
    },
    async stat(key) {
      const object = objects.get(key);
      return object ? statOf(object) : null;
    },
    async delete(key) {
      objects.delete(key);
    },
    async *list() {
      for (const [key, object] of [...objects]) yield { key, bytes: object.data.length };
    },
  };
}
