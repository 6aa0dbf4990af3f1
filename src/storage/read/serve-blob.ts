/**
 * How bytes go out, from the cheapest way to the surest: from memory; read whole into a buffer where a store can do that; by `open`, which looks
 * through all stores, notes what it meets and wakes the repairer. Each of the first two gives way to the next when anything is not as expected.
 *
 * What is in memory was proven when it was kept. Whether its copy is still well is looked at behind the answers, at most once a second, so that damage
 * is noticed of what is hot as well: within a second after somebody has asked for it.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { StoreError } from '../../errors.ts';
import { type Blob, type Copy, copyIn } from '../blob.ts';
import { recordBad, recordProven } from '../copies.ts';
import type { StorageDeps } from '../service.ts';
import { type ByteRange, DamagedObjectError, type Store } from '../stores/store.ts';
import type { Buffers } from './buffers.ts';
import { examine } from './examine.ts';
import type { HotBytes } from './memory-cache.ts';
import { isWhole, note, open } from './open.ts';

/** What is to be sent: either is the whole of what was asked for. */
export type Given =
  | {
      readonly content: Buffer;
      /** To be called once: whether the system has taken all of it, so that the memory can be used again. */
      readonly done: ((sent: boolean) => void) | null;
    }
  | {
      /** To be read to its end or destroyed. */
      readonly stream: Readable;
    };

export interface Giver {
  /** From memory, if it is there. */
  recall(blob: Blob): Buffer | null;
  /** @throws as Storage.open does. */
  give(blob: Blob, range?: ByteRange): Promise<Given>;
  /** See Storage.hold. */
  hold(content: Buffer): () => void;
  /** See Storage.locate. */
  locate(blob: Blob, kind: string): Promise<string | null>;
  /** Resolves when nothing is being looked at behind an answer. */
  settled(): Promise<void>;
  /** Looks at nothing any more. */
  stop(): Promise<void>;
}

type GiveDeps = StorageDeps & {
  readonly hot: HotBytes;
  readonly buffers: Buffers;
  wakeRepairer(seconds: number): void;
};

/** Memory that a part of a blob, or all of it, is read into: either is called, once. */
interface Room {
  readonly content: Buffer;
  /** What is in it is what was asked for. */
  given(): Given;
  /** It is not. @param isFree whether nobody reads or writes it any more. */
  leave(isFree: boolean): void;
}

/** More than this is not read into one buffer: a stream has sent its first part by then. */
const MAX_WHOLE_BYTES = 1024 * 1024;
const LOOK_EVERY_MS = 1000;
/** While clients have yet to take more than this of what came from memory, nothing more comes from there: it could not be freed. */
const MAX_HELD_BYTES = 128 * 1024 * 1024;

export function makeGiver(deps: GiveDeps): Giver {
  const { hot, stores } = deps;
  /** Blobs in memory whose copies were or will be looked at, by hash. */
  const looks = new Map<string, { at: number; timer: NodeJS.Timeout | null }>();
  const looking = new Set<Promise<void>>();
  let stopped = false;
  /** Bytes that clients have yet to take, each memory once, however many of them read it; and those that are being read to be kept. */
  let held = 0;
  const readers = new Map<ArrayBufferLike, number>();

  /** The first in read order that has a copy which is well by the record. */
  function firstHealthy(blob: Blob): { store: Store; copy: Copy } | null {
    for (const store of stores) {
      const copy = copyIn(store, blob);
      if (copy?.state === 'STORED') return { store, copy };
    }
    return null;
  }

  function lookSoon(blob: Blob): void {
    const look = looks.get(blob.sha256);
    if (look?.timer || stopped) return;
    const wait = look ? Math.max(0, look.at + LOOK_EVERY_MS - Date.now()) : LOOK_EVERY_MS;
    const timer = setTimeout(() => {
      const work = lookAt(blob)
        .catch((error: unknown) => deps.log.error({ err: error }, 'could not look at a copy'))
        .finally(() => looking.delete(work));
      looking.add(work);
    }, wait);
    timer.unref();
    looks.set(blob.sha256, { at: look?.at ?? 0, timer });
  }

  async function lookAt(blob: Blob): Promise<void> {
    const first = firstHealthy(blob);
    // Only what was asked for since is in here: the number of those that are hot bounds it.
    looks.delete(blob.sha256);
    if (!first || stopped) return;
    const { store, copy } = first;
    await look(store, blob, copy);
    // Somebody may have asked again meanwhile.
    if (!looks.has(blob.sha256)) looks.set(blob.sha256, { at: Date.now(), timer: null });
    if (looks.size > MAX_LOOKS) forgetOldLooks();
  }

  /** @returns whether a copy is well, by its fingerprint or by reading it. One that is bad is put on record as that, to be repaired. */
  async function look(store: Store, blob: Blob, copy: Copy): Promise<boolean> {
    const finding = await examine(store, blob, copy);
    if (finding.state === 'UNREACHABLE') return false;
    if (finding.state === 'STORED') {
      if (finding.read) await note(deps, () => recordProven(deps.database, blob, copy, finding.stat));
      return true;
    }
    hot.forget(blob.sha256);
    deps.log.warn({ store: store.name, sha256: blob.sha256, state: finding.state }, finding.error);
    await note(deps, () => recordBad(deps.database, blob, copy, finding, deps.healDelaySeconds));
    deps.wakeRepairer(deps.healDelaySeconds);
    return false;
  }

  function forgetOldLooks(): void {
    const before = Date.now() - LOOK_EVERY_MS;
    for (const [sha256, { at, timer }] of looks) if (!timer && at < before) looks.delete(sha256);
  }

  /** Memory for so many bytes of a blob; null where there is none. @param keeps whether they are to stay there from now on. */
  function takeRoom(blob: Blob, bytes: number, keeps: boolean): Room | null {
    const since = hot.now;
    const buffer = keeps ? Buffer.allocUnsafeSlow(bytes) : deps.buffers.take(bytes);
    if (!buffer) return null;
    const content = buffer.subarray(0, bytes);
    const leave = (isFree: boolean) => {
      if (keeps) return;
      if (isFree) deps.buffers.give(buffer);
      else deps.buffers.lose(buffer);
    };
    return {
      content,
      leave,
      given() {
        if (keeps) hot.keep(blob.sha256, blob.sha256, content, since);
        return { content, done: keeps ? null : leave };
      },
    };
  }

  /** By its fingerprint, and what is to be kept by its hash as well. @returns null where the careful way has to be gone. */
  async function readKnown(blob: Blob, range: ByteRange, keeps: boolean): Promise<Given | null> {
    const first = firstHealthy(blob);
    const length = range.end - range.start + 1;
    if (!first?.store.readInto || first.copy.fingerprint === null || length > MAX_WHOLE_BYTES) return null;
    const room = takeRoom(blob, length, keeps);
    if (!room) return null;
    const stat = await first.store.readInto(first.copy.key, range, room.content).catch(ignore);
    const isKnown = stat?.bytes === blob.bytes && stat.fingerprint === first.copy.fingerprint;
    if (isKnown && (!keeps || isOf(blob, room.content))) return room.given();
    room.leave(true);
    return null;
  }

  /** By one question, and its hash. @returns null where the careful way has to be gone. */
  async function readProven(blob: Blob, keeps: boolean): Promise<Given | null> {
    const first = firstHealthy(blob);
    if (!first?.store.readWhole || blob.bytes > MAX_WHOLE_BYTES) return null;
    const room = takeRoom(blob, blob.bytes, keeps);
    if (!room) return null;
    const bytes = await first.store.readWhole(first.copy.key, room.content).catch(ignore);
    if (bytes === blob.bytes && isOf(blob, room.content)) return room.given();
    // After a failure something may still be put into it.
    room.leave(bytes !== undefined);
    return null;
  }

  /** @param keeps whether it is to be in memory from now on. */
  async function giveOnce(blob: Blob, range: ByteRange | undefined, keeps: boolean): Promise<Given> {
    const whole = range ?? { start: 0, end: blob.bytes - 1 };
    const read = (await readKnown(blob, whole, keeps)) ?? (range ? null : await readProven(blob, keeps));
    if (read) return read;
    const opened = await open(deps, blob, range);
    const isSmall = !range && blob.bytes <= MAX_WHOLE_BYTES;
    const room = keeps || isSmall ? takeRoom(blob, blob.bytes, keeps) : null;
    if (!room) return opened;
    try {
      const isWhole = await collect(opened.stream, room.content);
      if (isWhole && (!keeps || isOf(blob, room.content))) return room.given();
    } catch (error) {
      if (!(error instanceof DamagedObjectError)) {
        room.leave(true);
        throw brokeOff(opened.store, blob, error);
      }
    }
    room.leave(true);
    // Nothing has gone out yet, so the other copies are tried.
    return open(deps, blob, range, { deep: true });
  }

  return {
    hold({ buffer }) {
      const before = readers.get(buffer) ?? 0;
      if (before === 0) held += buffer.byteLength;
      readers.set(buffer, before + 1);
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        const left = (readers.get(buffer) ?? 1) - 1;
        if (left > 0) readers.set(buffer, left);
        else {
          readers.delete(buffer);
          held -= buffer.byteLength;
        }
      };
    },

    recall(blob) {
      const content = held < MAX_HELD_BYTES ? hot.get(blob.sha256) : null;
      if (content) lookSoon(blob);
      return content;
    },

    async give(blob, asked) {
      const range = asked && !isWhole(asked, blob) ? asked : undefined;
      const kept = held < MAX_HELD_BYTES ? hot.get(blob.sha256) : null;
      if (kept) {
        lookSoon(blob);
        return { content: range ? kept.subarray(range.start, range.end + 1) : kept, done: null };
      }
      const keeps = !range && held < MAX_HELD_BYTES && hot.wants(blob.sha256, blob.bytes);
      if (!keeps) return giveOnce(blob, range, false);
      held += blob.bytes;
      return giveOnce(blob, range, true).finally(() => {
        held -= blob.bytes;
      });
    },

    async locate(blob, kind) {
      for (const store of stores) {
        const copy = copyIn(store, blob);
        if (store.kind === kind && copy?.state === 'STORED' && (await look(store, blob, copy)))
          return copy.key;
      }
      return null;
    },

    async settled() {
      while (looking.size > 0) await Promise.all(looking);
    },
    async stop() {
      stopped = true;
      for (const { timer } of looks.values()) if (timer) clearTimeout(timer);
      while (looking.size > 0) await Promise.all(looking);
    },
  };
}

const MAX_LOOKS = 10_000;

/** Whether the bytes are what the blob's name says. */
const isOf = ({ sha256 }: Blob, content: Buffer) =>
  createHash('sha256').update(content).digest('hex') === sha256;

/** Why a quick way failed, the careful way finds out and notes. */
const ignore = () => undefined;

/** @returns whether the stream gave as many bytes as there is room for. */
async function collect(stream: Readable, room: Buffer): Promise<boolean> {
  let at = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    if (at + chunk.length > room.length) return false;
    room.set(chunk, at);
    at += chunk.length;
  }
  return at === room.length;
}

function brokeOff(store: string, blob: Blob, cause: unknown): StoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(`${store} broke off while giving ${blob.sha256}: ${reason}.`, store, { cause });
}
