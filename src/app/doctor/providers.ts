import type { Config } from '../../config.ts';
import { ask } from './ask.ts';
import { type Check, type Finding, failure, messageOf, ok, skipped, warning } from './report.ts';

/** A request that shows whether a provider accepts the key, and that costs nothing. */
interface KeyRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface CheckedProvider {
  readonly name: string;
  /** Names of its settings. */
  readonly settings: string;
  /** null: the provider has no such request. */
  readonly request: KeyRequest | null;
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/**
 * Returns the configured providers with their request. Lists of models:
 * https://platform.openai.com/docs/api-reference/models/list, https://ai.google.dev/api/models,
 * https://docs.x.ai/docs/api-reference. Account of Replicate:
 * https://replicate.com/docs/reference/http#account.get. Credits of Black Forest Labs:
 * https://docs.bfl.ai/api-reference/utility/get-the-users-credits.
 */
function providersOf(config: Config): CheckedProvider[] {
  const providers: CheckedProvider[] = [];
  const add = <Settings>(
    name: string,
    settings: string,
    values: Settings | null,
    requestOf: (values: Settings) => KeyRequest | null,
  ) => {
    if (values !== null) providers.push({ name, settings, request: requestOf(values) });
  };
  add('openai', 'OPENAI_API_KEY', config.openai, ({ baseUrl, apiKey }) => ({
    url: `${baseUrl}/models`,
    headers: bearer(apiKey),
  }));
  add('google', 'GEMINI_API_KEY', config.google, ({ baseUrl, apiKey }) => ({
    url: `${baseUrl}/models?pageSize=1`,
    headers: { 'x-goog-api-key': apiKey },
  }));
  add('xai', 'XAI_API_KEY', config.xai, ({ baseUrl, apiKey }) => ({
    url: `${baseUrl}/models`,
    headers: bearer(apiKey),
  }));
  add('bfl', 'BFL_API_KEY', config.bfl, ({ baseUrl, apiKey }) => ({
    url: `${baseUrl}/credits`,
    headers: { 'x-key': apiKey },
  }));
  add('fal', 'FAL_KEY', config.fal, () => null);
  add('replicate', 'REPLICATE_API_TOKEN', config.replicate, ({ baseUrl, apiKey }) => ({
    url: `${baseUrl}/account`,
    headers: bearer(apiKey),
  }));
  add('azure', 'AZURE_OPENAI_API_KEY', config.azure, ({ baseUrl, apiKey }) => ({
    url: `${baseUrl}/models`,
    headers: { 'api-key': apiKey },
  }));
  add('openai-compatible', 'OPENAI_COMPATIBLE_API_KEY', config.openaiCompatible, ({ baseUrl, apiKey }) => ({
    url: `${baseUrl}/models`,
    headers: apiKey === null ? {} : bearer(apiKey),
  }));
  return providers;
}

/** Returns a check of the key of each configured provider. */
export function providerChecks(config: Config): Check[] {
  return providersOf(config).map((provider) => ({
    name: `provider ${provider.name}`,
    run: async () => [await checkProvider(provider)],
  }));
}

async function checkProvider({ request, settings }: CheckedProvider): Promise<Finding> {
  if (request === null)
    return skipped(`${settings} is set. The provider has no request that checks a key without a charge.`);
  const { host } = new URL(request.url);
  const answer = await ask(request.url, { headers: request.headers }).catch(messageOf);
  if (typeof answer === 'string')
    return failure(
      `${host} cannot be reached: ${answer}`,
      'Check the network, the firewall and the *_BASE_URL setting.',
    );
  return findingOf(answer.status, answer.text, { host, settings });
}

function findingOf(
  status: number,
  text: string,
  { host, settings }: { host: string; settings: string },
): Finding {
  if (status >= 200 && status < 300) return ok(`${host} accepts the key.`);
  // Google and xAI answer 400 to an unknown key.
  if (status === 401 || (status === 400 && /api[ _-]?key/i.test(text)))
    return failure(`${host} does not accept the key (${status}).`, `Set ${settings} to a valid key.`);
  if (status === 403)
    return warning(
      `${host} refuses the check (403): the key is restricted or blocked.`,
      `Check the rights of the key in ${settings}.`,
    );
  if (status === 404 || status === 405)
    return skipped(`${host} has no request that checks a key without a charge (${status}).`);
  if (status >= 300 && status < 400)
    return failure(`${host} redirects to another address (${status}).`, 'Correct the *_BASE_URL setting.');
  return warning(`${host} answered ${status}, so the key could not be checked.`, 'Try again later.');
}
