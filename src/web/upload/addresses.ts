/** Addresses of a text with one on each line, and the lines that are none. */
export interface Addresses {
  readonly urls: readonly string[];
  readonly wrong: readonly string[];
}

/** Reads addresses, one on each line. Repeated addresses are read once. */
export function addressesOf(text: string): Addresses {
  const lines = text
    .split(/\s*[\r\n]+\s*/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const urls = [...new Set(lines.filter(isAddress))];
  return { urls, wrong: lines.filter((line) => !isAddress(line)) };
}

function isAddress(line: string): boolean {
  if (/\s/.test(line) || !URL.canParse(line)) return false;
  return ['http:', 'https:'].includes(new URL(line).protocol);
}

/** Returns the name to show of an address: the end of its path, or its host. */
export function nameOfAddress(url: string): string {
  const { pathname, host } = new URL(url);
  return decodeName(pathname.split('/').at(-1) ?? '') || host;
}

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
