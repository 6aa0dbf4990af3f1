/** The properties of XMP that describe a picture's origin, https://github.com/adobe/xmp-docs */
export interface Xmp {
  readonly description: string | null;
  readonly creatorTool: string | null;
  readonly digitalSourceType: string | null;
  readonly userComment: string | null;
}

const PROPERTIES = {
  description: ['http://purl.org/dc/elements/1.1/', 'dc', 'description'],
  creatorTool: ['http://ns.adobe.com/xap/1.0/', 'xmp', 'CreatorTool'],
  digitalSourceType: ['http://iptc.org/std/Iptc4xmpExt/2008-02-29/', 'Iptc4xmpExt', 'DigitalSourceType'],
  userComment: ['http://ns.adobe.com/exif/1.0/', 'exif', 'UserComment'],
} as const satisfies Record<keyof Xmp, readonly [namespace: string, prefix: string, name: string]>;

/**
 * Finds properties by searching the text of a packet, in time linear to its length. This is not an XML
 * parser, so a hostile document cannot define entities or nest elements to exhaust it.
 */
export function parseXmp(packet: string): Xmp {
  return {
    description: findProperty(packet, PROPERTIES.description),
    creatorTool: findProperty(packet, PROPERTIES.creatorTool),
    digitalSourceType: findProperty(packet, PROPERTIES.digitalSourceType),
    userComment: findProperty(packet, PROPERTIES.userComment),
  };
}

function findProperty(
  packet: string,
  [namespace, usual, name]: readonly [string, string, string],
): string | null {
  const qualified = `${prefixOf(packet, namespace) ?? usual}:${name}`;
  return findAttribute(packet, qualified) ?? findElement(packet, qualified);
}

/** Returns the prefix that the document declares for a namespace; null: none. */
function prefixOf(packet: string, namespace: string): string | null {
  const at = Math.max(packet.indexOf(`="${namespace}"`), packet.indexOf(`='${namespace}'`));
  return at === -1
    ? null
    : (/xmlns:([\w-]{1,40})$/.exec(packet.slice(Math.max(0, at - 50), at))?.[1] ?? null);
}

function findAttribute(packet: string, name: string): string | null {
  for (const quote of ['"', "'"]) {
    const at = packet.indexOf(`${name}=${quote}`);
    if (at === -1) continue;
    const from = at + name.length + 2;
    const end = packet.indexOf(quote, from);
    if (end !== -1) return unescapeXml(packet.slice(from, end));
  }
  return null;
}

function findElement(packet: string, name: string): string | null {
  const at = packet.indexOf(`<${name}`);
  if (at === -1 || !/[\s/>]/.test(packet[at + 1 + name.length] ?? '')) return null;
  const from = packet.indexOf('>', at) + 1;
  const head = packet.slice(at, from);
  if (head.endsWith('/>')) return findAttribute(head, 'rdf:resource');
  const end = packet.indexOf(`</${name}>`, from);
  if (from === 0 || end === -1) return null;
  const inner = packet.slice(from, end);
  // Reads the first item of a list of languages or values.
  const item = inner.indexOf('<rdf:li');
  const itemEnd = item === -1 ? -1 : inner.indexOf('</rdf:li>', item);
  const value = itemEnd === -1 ? inner : inner.slice(item, itemEnd);
  return unescapeXml(value.replaceAll(/<[^<>]*>/g, '')).trim() || null;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replaceAll(
    /&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|(amp|lt|gt|quot|apos));/g,
    (all, decimal, hex, name) => {
      if (name) return ENTITIES[name] ?? all;
      const code = decimal ? Number(decimal) : Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : all;
    },
  );
}
