/** Microseconds since 1970 as ISO 8601. JavaScript's own times have milliseconds, PostgreSQL's microseconds. */
export function isoOfMicros(micros: number): string {
  const seconds = Math.floor(micros / 1e6);
  const rest = String(micros - seconds * 1e6).padStart(6, '0');
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}.${rest}Z`;
}
