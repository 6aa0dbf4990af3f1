import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { FixativeError, InputError } from '../errors.ts';

/**
 * Decides which foreign addresses may be fetched (protection against SSRF). A client must not use the server
 * to reach its loopback, its private network, or the metadata service of its cloud. Allowed are http and
 * https without credentials, to hosts that resolve to public addresses only.
 *
 * Resolved addresses are checked when the connection is made, because a name may resolve differently after a
 * check.
 */
export interface AddressPolicy {
  /**
   * Parses an address, and checks its scheme, credentials and literal IP address.
   * @throws InputError INVALID_INPUT when it is not an address; FixativeError SOURCE_FORBIDDEN.
   */
  parse(address: string): URL;
  /** Returns whether a connection may be made to an IP address that the host resolved to. */
  allows(hostname: string, address: string): boolean;
  /**
   * Makes the error for a host that is not public. It does not tell the IP address: clients must not learn
   * internal ones.
   */
  privateAddress(hostname: string): FixativeError;
}

const MAX_ADDRESS_LENGTH = 8192;

/** Input field that errors point to, also after redirects. */
const AT_URL = { path: ['input', 'url'] };

/** Global unicast IPv6 (RFC 4291, 2.4). Most ranges that translate to IPv4 or are obsolete lie outside. */
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/** Azure's metadata service for virtual machines, which gives out secrets, on a public address. */
const AZURE_WIRE_SERVER = '168.63.129.16';

/**
 * @param allowed host names, addresses and CIDR ranges to allow although they are not public
 *   (ALLOW_PRIVATE_SOURCES).
 * @param setting name of the setting that allows them, for errors.
 */
export function makeAddressPolicy(
  allowed: readonly string[],
  setting = 'ALLOW_PRIVATE_SOURCES',
): AddressPolicy {
  const names = new Set<string>();
  const ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const entry of allowed) {
    const bare = entry.replace(/^\[(.*)\]$/, '$1');
    if (ipaddr.isValidCIDR(bare)) ranges.push(ipaddr.parseCIDR(bare));
    else if (isIP(bare)) {
      const address = ipaddr.process(bare);
      ranges.push([address, address.kind() === 'ipv4' ? 32 : 128]);
    } else names.add(bareName(entry));
  }

  const allows = (hostname: string, text: string) => {
    if (names.has(bareName(hostname))) return true;
    if (!ipaddr.isValid(text)) return false;
    // An IPv4-mapped IPv6 address (`::ffff:127.0.0.1`) is checked as IPv4.
    const address = ipaddr.process(text);
    if (ranges.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits)))
      return true;
    if (address.range() !== 'unicast' || address.toString() === AZURE_WIRE_SERVER) return false;
    return address.kind() === 'ipv4' || address.match(...GLOBAL_UNICAST);
  };

  const privateAddress = (hostname: string) =>
    forbiddenAddress(
      `${hostname} is not a public address. The operator of the server can allow it with ${setting}.`,
    );

  return {
    allows,
    privateAddress,
    parse(text) {
      if (text.length > MAX_ADDRESS_LENGTH) {
        throw new InputError(
          'INVALID_INPUT',
          `The address is longer than ${MAX_ADDRESS_LENGTH} characters. Give a shorter one.`,
          AT_URL,
        );
      }
      // WHATWG's parser normalizes hosts: `0x7f.1`, `2130706433` and `①②⑦.0.0.1` all become 127.0.0.1.
      const url = URL.parse(text);
      if (!url)
        throw new InputError(
          'INVALID_INPUT',
          'The address is not valid. Give one that begins with https:// or http://.',
          AT_URL,
        );
      if (url.protocol !== 'https:' && url.protocol !== 'http:') {
        throw forbiddenAddress(
          `An address with ${url.protocol}// cannot be fetched. Give one that begins with https:// or http://.`,
        );
      }
      if (url.username || url.password) {
        throw forbiddenAddress(`The address at ${url.host} contains a user name or a password. Remove it.`);
      }
      const literal = url.hostname.replace(/^\[(.*)\]$/, '$1');
      if (isIP(literal) && !allows(literal, literal)) throw privateAddress(url.hostname);
      url.hash = '';
      return url;
    },
  };
}

export function forbiddenAddress(message: string): FixativeError {
  return new FixativeError('SOURCE_FORBIDDEN', message, AT_URL);
}

/** Returns a host name in lower case, without the dot at its end. */
function bareName(hostname: string): string {
  return hostname.toLowerCase().replace(/\.$/, '');
}
