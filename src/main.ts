/**
 * The process. This file only says how V8 is to run what it loads: what is imported before the cache of
 * compiled code is there is compiled at every start.
 */
import { enableCompileCache } from 'node:module';
import { totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';

// V8 lets garbage lie until its heap has half of the machine's memory (or the container's), at most 4 GB,
// though some 70 MB of it are in use here, and its young generation may have a hundred. glibc keeps what was
// freed between what is still in use, in an arena for each thread: buffers from 64 KiB on are mapped by
// themselves instead, and go back to the system at once
// (https://man7.org/linux/man-pages/man3/mallopt.3.html). Five minutes of work took twice the memory without
// these (docs/performance.md). All can be set only when a process begins, so this one begins anew, under the
// same number. Workers of a cluster get them from the process that began them.
const MAX_HEAP_MIB = 512;
const MAX_SEMI_SPACE_MIB = 16;
const MALLOC = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '131072' };

const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ');
const flags: string[] = [];
// Of less memory V8 takes less by itself.
if (memory > 2 * MAX_HEAP_MIB * 1024 ** 2 && !/--max[-_](old[-_]space|heap)[-_]size/.test(given))
  flags.push(`--max-old-space-size=${MAX_HEAP_MIB}`);
if (!/--max[-_]semi[-_]space[-_]size/.test(given)) flags.push(`--max-semi-space-size=${MAX_SEMI_SPACE_MIB}`);
if ((flags.length > 0 || !('MALLOC_ARENA_MAX' in process.env)) && !process.send) {
  process.execve?.(
    process.execPath,
    [process.execPath, ...flags, ...process.execArgv, ...process.argv.slice(1)],
    { ...MALLOC, ...process.env },
  );
}

// A third of a start without it is compiling. Where nothing can be written there, each start compiles.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/fixative', import.meta.url)));

// graphql checks every type of every answer while it is developed with; this decides before it is loaded.
process.env.NODE_ENV ??= 'production';

// Bytes on their way lie outside of V8's heap. Without this V8 collects all garbage, marking some 70 MB of
// live objects, each time that 32 to 64 MB of such have come by, which is every tenth upload
// (docs/performance.md); with it they count like its own.
setFlagsFromString('--external-memory-accounted-in-global-limit');

// V8 compiles a function of WebAssembly once more, for speed, when it has run for 13 MB of code. Many of the
// embedded database's do while it starts and hardly run again: that took a quarter of a start's processor
// time, and a third of its memory (docs/performance.md).
setFlagsFromString('--wasm-tiering-budget=200000000');

const { runCommandLine } = await import('./main/command-line.ts');
await runCommandLine();
