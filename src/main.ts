/**
 * The process. This file only sets how V8 runs the modules that it loads. A module that is imported before
 * the cache of compiled code is enabled is compiled at every start.
 */
import { enableCompileCache } from 'node:module';
import { totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

// By default V8 collects garbage late: at half of the memory of the machine or container, at most 4 GB,
// although about 70 MB are in use here. Its young generation may have 100 MB. glibc keeps freed memory
// between blocks that are in use, in an arena for each thread. Buffers from 64 KiB on are mapped instead, and
// go back to the system at once (https://man7.org/linux/man-pages/man3/mallopt.3.html). Without these
// settings five minutes of work took twice the memory (docs/performance.md). They can only be set when a
// process begins, so this one replaces itself, under the same process id. Workers of a cluster inherit them.
const MAX_HEAP_MIB = 512;
const MAX_SEMI_SPACE_MIB = 16;
const MALLOC = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '131072' };

const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
const flagsBefore = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
const flags: string[] = [];
// With less memory V8 uses a smaller heap by itself.
if (memory > 2 * MAX_HEAP_MIB * 1024 ** 2 && !/--max[-_](old[-_]space|heap)[-_]size/.test(flagsBefore))
  flags.push(`--max-old-space-size=${MAX_HEAP_MIB}`);
if (!/--max[-_]semi[-_]space[-_]size/.test(flagsBefore))
  flags.push(`--max-semi-space-size=${MAX_SEMI_SPACE_MIB}`);
if ((flags.length > 0 || !('MALLOC_ARENA_MAX' in process.env)) && !process.send) {
  process.execve?.(
    process.execPath,
    [process.execPath, ...flags, ...process.execArgv, ...process.argv.slice(1)],
    { ...MALLOC, ...process.env },
  );
}

// Without this cache a third of a start is compilation. If the directory is not writable, each start
// compiles.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/fixative', import.meta.url)));

// In development mode graphql checks every type of every response. It reads this when it is loaded.
process.env.NODE_ENV ??= 'production';

// Bytes in transit lie outside of V8's heap. By default V8 collects all garbage, marking about 70 MB of live
// objects, after each 32 to 64 MB of them, which is every tenth upload (docs/performance.md). With this flag
// they count like its own memory.
setFlagsFromString('--external-memory-accounted-in-global-limit');

// V8 recompiles a WebAssembly function for speed after it has run 13 MB of code. Many functions of the
// embedded database reach that during a start and are rarely used again. That took a quarter of a start's
// processor time and a third of its memory (docs/performance.md).
setFlagsFromString('--wasm-tiering-budget=200000000');

const { runCommandLine } = await import('./main/command-line.ts');
await runCommandLine();
