import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';

let ticksPerSecond: number | undefined;

/** Returns the CPU time of a process in seconds, user and system, to 10 ms; null where there is no /proc. */
export async function cpuSeconds(pid: number): Promise<number | null> {
  const fields = await readStat(pid);
  if (!fields) return null;
  ticksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return (Number(fields[14]) + Number(fields[15])) / ticksPerSecond;
}

/** Returns the CPU time of a process and its children in seconds, including children that have ended. */
export async function cpuSecondsOfFamily(pid: number): Promise<number | null> {
  const own = await cpuSeconds(pid);
  const fields = await readStat(pid);
  if (own === null || !fields || !ticksPerSecond) return null;
  let sum = own + (Number(fields[16]) + Number(fields[17])) / ticksPerSecond;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const child = await readStat(Number(name));
    if (Number(child?.[4]) === pid) sum += (await cpuSeconds(Number(name))) ?? 0;
  }
  return sum;
}

/** Reads the fields of /proc/PID/stat; the index is the field's number in proc(5), from 3 on. */
async function readStat(pid: number): Promise<string[] | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The second field is a name in parentheses, which may contain spaces.
  const rest = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return ['', String(pid), '', ...rest];
}
