/** Returns the URL of a server with these settings on this machine; null: it chooses a free port. */
export function localUrl({ host, port }: { readonly host: string; readonly port: number }): string | null {
  if (port === 0) return null;
  const address = { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host;
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
}
