import { isLoopback } from '../../command/serve.ts';
import { SETTINGS } from '../../config/settings.ts';
import { type Config, checkConfig, MiB, warningsOf } from '../../config.ts';
import { type Finding, failure, ok, warning } from './report.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The settings as far as they can be read. */
export interface ReadSettings {
  /** null: nothing else can be checked. */
  readonly config: Config | null;
  readonly findings: readonly Finding[];
  /** Names of the settings that are wrong. `config` has their defaults instead. */
  readonly wrong: readonly string[];
}

/** Seconds that `generateImage` may wait for its image. */
const GENERATE_SECONDS = 120;
/** Largest file of the store `github`. */
const GITHUB_MAX_BYTES = 100 * MiB;

/**
 * Reads the settings. Those that are wrong are left out and the others read again, so that a mistake in one
 * does not prevent the other checks.
 */
export function readSettings(environment: Environment, directory: string): ReadSettings {
  const findings: Finding[] = [];
  const wrong: string[] = [];
  const rest = { ...environment };
  let checked = checkConfig(rest, directory);
  while (checked.config === null) {
    const names = checked.faults.flatMap((fault) => fault.slice(0, fault.indexOf(':')).split(', '));
    findings.push(...checked.faults.map((fault) => failure(fault, 'Correct it; see .env.example.')));
    const left = names.filter((name) => rest[name] !== undefined);
    if (left.length === 0) break;
    for (const name of left) delete rest[name];
    wrong.push(...left);
    checked = checkConfig(rest, directory);
  }
  for (const text of warningsOf(environment))
    findings.push(warning(text, 'Correct the name, or remove the variable.'));
  if (checked.config) findings.push(...findContradictions(checked.config));
  if (findings.length === 0) {
    const count = Object.keys(SETTINGS).filter((name) => environment[name]?.trim()).length;
    findings.push(ok(`${count} settings are set, and they fit together.`));
  }
  return { config: checked.config, findings, wrong };
}

/** Returns a warning for each combination that is allowed and rarely meant. */
function findContradictions(config: Config): Finding[] {
  return [...contradictionsOfStores(config), ...contradictionsOfAddress(config)];
}

function contradictionsOfStores(config: Config): Finding[] {
  const { stores, delivery, maxUploadBytes } = config;
  const findings: Finding[] = [];
  const warn = (found: string, remedy: string) => findings.push(warning(found, remedy));
  if (stores.length === 1)
    warn(
      `STORES has one store (${stores[0]}), so a damaged or lost copy cannot be repaired.`,
      'Name a second store in STORES.',
    );
  if (stores.includes('memory'))
    warn('STORES has memory, whose copies are lost when the process ends.', 'Remove it; it is for tests.');
  if (stores.includes('github') && maxUploadBytes > GITHUB_MAX_BYTES)
    warn(
      'MAX_UPLOAD_BYTES is more than 100 MiB, the most that the store github takes: larger images get no copy there.',
      'Lower MAX_UPLOAD_BYTES, or accept one copy less for such images.',
    );
  if (delivery === 'x-accel' && !stores.includes('filesystem'))
    warn(
      'DELIVERY is x-accel, but STORES lacks filesystem, whose files the proxy would send.',
      'Add filesystem to STORES, or remove DELIVERY.',
    );
  if (delivery === 'redirect' && !stores.includes('s3') && !stores.includes('github'))
    warn(
      'DELIVERY is redirect, but STORES has neither s3 nor github, so nothing can be redirected to.',
      'Add s3 to STORES, or remove DELIVERY.',
    );
  return findings;
}

function contradictionsOfAddress(config: Config): Finding[] {
  const { host, publicUrl, trustedProxies, operationTimeoutSeconds } = config;
  const findings: Finding[] = [];
  const warn = (found: string, remedy: string) => findings.push(warning(found, remedy));
  if (publicUrl === null && !isLoopback(host))
    warn(
      `HOST is ${host}, but PUBLIC_URL is not set: the addresses of images begin with http://${host}.`,
      'Set PUBLIC_URL to the address that clients use.',
    );
  if (publicUrl?.startsWith('http:') && !isLoopback(new URL(publicUrl).hostname))
    warn(
      'PUBLIC_URL begins with http://, so tokens and images pass the network unencrypted.',
      'Put a proxy with TLS in front of the server and use https://.',
    );
  if (publicUrl?.startsWith('https:') && isLoopback(host) && trustedProxies.length === 0)
    warn(
      'The server listens on loopback behind a proxy, but TRUSTED_PROXIES is not set: all clients count as one address in limits and logs.',
      'Set TRUSTED_PROXIES to the address of the proxy, such as 127.0.0.1.',
    );
  if (trustedProxies.some((range) => /\/0$/.test(range)))
    warn(
      'TRUSTED_PROXIES trusts every address, so any client can forge its own in X-Forwarded-For.',
      'Name only the proxies.',
    );
  if (operationTimeoutSeconds <= GENERATE_SECONDS)
    warn(
      `OPERATION_TIMEOUT_SECONDS is ${operationTimeoutSeconds}, but generateImage may wait ${GENERATE_SECONDS} seconds.`,
      'Raise it above 120.',
    );
  return findings;
}
