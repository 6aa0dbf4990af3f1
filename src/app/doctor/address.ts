import { randomUUID } from 'node:crypto';
import { makeSigner } from '../../auth/signature.ts';
import { makeUploadAddress } from '../../auth/upload-address.ts';
import { localUrl } from '../../config/local-url.ts';
import type { Config } from '../../config.ts';
import { ask } from './ask.ts';
import { type Finding, failure, messageOf, ok, skipped, warning } from './report.ts';
import { readSigningKey } from './stores.ts';

/** Headers that proxies and CDNs add. The server itself sends none of them. */
const PROXY_HEADERS = ['via', 'server', 'x-cache', 'cf-ray', 'x-served-by', 'x-amz-cf-id'];

/** Answer to `GET /health` at an address. */
type Health =
  | { readonly kind: 'alive'; readonly proxy: string | null }
  | { readonly kind: 'other'; readonly status: number }
  | { readonly kind: 'none'; readonly reason: string };

/** Checks that PUBLIC_URL leads to this server, and that a proxy in front of it is trusted. */
export async function checkAddress(config: Config): Promise<Finding[]> {
  const local = localUrl(config);
  const here = local === null ? null : await askHealth(local);
  const isHere = here?.kind === 'alive';
  const { publicUrl } = config;
  if (publicUrl === null)
    return isHere
      ? [ok(`A server answers at ${local}. PUBLIC_URL is not set.`)]
      : [
          skipped(
            'No server answers on this machine, and PUBLIC_URL is not set.',
            'Check again when it runs.',
          ),
        ];
  const there = await askHealth(publicUrl);
  if (there.kind === 'none' && !isHere)
    return [
      skipped(
        `Nothing answers at PUBLIC_URL (${publicUrl}), and no server answers on this machine.`,
        'Start the server, and check again.',
      ),
    ];
  if (there.kind === 'none')
    return [
      failure(
        `The server answers at ${local}, but PUBLIC_URL (${publicUrl}) does not: ${there.reason}`,
        'Check the name, the proxy, its certificate and the firewall. If only this machine cannot reach it, ask from another one.',
      ),
    ];
  if (there.kind === 'other')
    return [
      failure(
        `${publicUrl}/health is not answered by Fixative (status ${there.status}).`,
        isHere
          ? `Let the proxy pass every path to ${local}, or correct PUBLIC_URL.`
          : 'Start the server, or correct PUBLIC_URL.',
      ),
    ];
  return [await checkIdentity(config, publicUrl), ...checkProxy(config, there.proxy)];
}

async function askHealth(url: string): Promise<Health> {
  try {
    const { status, headers, text } = await ask(`${url}/health`);
    if (status !== 200 || !/^\s*\{\s*"status"\s*:\s*"alive"\s*\}\s*$/.test(text))
      return { kind: 'other', status };
    return { kind: 'alive', proxy: PROXY_HEADERS.find((name) => headers.has(name)) ?? null };
  } catch (error) {
    return { kind: 'none', reason: messageOf(error) };
  }
}

/**
 * Asks whether the server at PUBLIC_URL has the signing key of these settings. The request carries a signed
 * address of an upload that has expired and never existed, so it grants nothing to another server.
 */
async function checkIdentity(config: Config, publicUrl: string): Promise<Finding> {
  const key = await readSigningKey(config);
  if (key === null) return ok(`A Fixative server answers at ${publicUrl}.`);
  const { urlOf } = makeUploadAddress(makeSigner([key]), () => publicUrl);
  const { status, text } = await ask(urlOf({ id: randomUUID(), expiresAt: new Date(0) }), {
    method: 'PUT',
    body: '',
  });
  const [, code] = /"code"\s*:\s*"(\w+)"/.exec(text) ?? [];
  if (code === 'EXPIRED') return ok(`This server answers at ${publicUrl}.`);
  if (code === 'FORBIDDEN')
    return failure(
      `The server at ${publicUrl} signs with another key: it is another one, or it has other settings.`,
      'Correct PUBLIC_URL, or give all servers the same SIGNING_KEYS.',
    );
  return warning(
    `A Fixative server answers at ${publicUrl}, but PUT /uploads does not reach it (status ${status}).`,
    'Let the proxy pass PUT, or uploads to upload targets fail.',
  );
}

function checkProxy({ trustedProxies }: Config, proxy: string | null): Finding[] {
  if (proxy === null || trustedProxies.length > 0) return [];
  return [
    warning(
      `A proxy answers at PUBLIC_URL (header ${proxy}), but TRUSTED_PROXIES is not set: all clients count as one address in limits and logs.`,
      'Set TRUSTED_PROXIES to the addresses of the proxy.',
    ),
  ];
}
