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
