import type { Config, GithubConfig } from '../../config.ts';
import { type GithubClient, openGithubClient } from '../../storage/stores/github/github-client.ts';
import { GithubRefusal, saysEmpty } from '../../storage/stores/github/github-refusal.ts';
import { type Finding, failure, messageOf, ok, warning } from './report.ts';

/** Requests left in the hour below which the rate is a warning. A new image needs about five. */
const LOW_RATE = 500;

/**
 * Checks the token, the repository, the branch, the right to write and the rate limit. Writing is tried with
 * a git blob that no commit names: it appears in no branch, and GitHub removes it.
 */
export async function checkGithub({ github, defaultVisibility }: Config): Promise<Finding[]> {
  const settings = github as GithubConfig;
  const client = await openGithubClient({ name: 'github', ...settings });
  const [owner = '', repo = ''] = settings.repository.split('/');
  try {
    const { data, headers } = await client.ask(() =>
      client.request('GET /repos/{owner}/{repo}', { owner, repo }),
    );
    const findings = rateOf(headers);
    if (data.archived)
      findings.push(
        failure(`The repository ${settings.repository} is archived and takes no writes.`, 'Unarchive it.'),
      );
    if (data.private === false && defaultVisibility === 'private')
      findings.push(
        warning(
          `The repository ${settings.repository} is public, so everyone can read the images in it, private ones too.`,
          'Make the repository private, or use another one.',
        ),
      );
    const location = { owner, repo, branch: settings.branch };
    findings.push(...(await checkBranch(client, location)), ...(await checkWriting(client, location)));
    if (findings.length > 0) return findings;
    const left = headers['x-ratelimit-remaining'];
    const rate = left === undefined ? '' : ` ${left} requests are left in this hour.`;
    return [ok(`The token can write to ${settings.repository}, branch ${settings.branch}.${rate}`)];
  } catch (error) {
    return [refused(error, 'GITHUB_TOKEN, GITHUB_REPOSITORY and GITHUB_API_URL')];
  } finally {
    await client.close();
  }
}

interface Location {
  readonly owner: string;
  readonly repo: string;
  readonly branch: string;
}

function rateOf(headers: Readonly<Record<string, string | number | undefined>>): Finding[] {
  const left = Number(headers['x-ratelimit-remaining'] ?? Number.NaN);
  const limit = headers['x-ratelimit-limit'];
  if (!(left < LOW_RATE)) return [];
  return [
    warning(
      `${left} of ${limit} requests to GitHub are left in this hour.`,
      'Copies wait until the limit resets. Use a token of its own for this server.',
    ),
  ];
}

async function checkBranch(client: GithubClient, { owner, repo, branch }: Location): Promise<Finding[]> {
  try {
    await client.ask(() =>
      client.request('GET /repos/{owner}/{repo}/branches/{branch}', { owner, repo, branch }),
    );
    return [];
  } catch (error) {
    if (!(error instanceof GithubRefusal) || error.status !== 404) throw error;
    if (await isEmpty(client, { owner, repo, branch })) return [];
    return [
      failure(`The repository has no branch ${branch}.`, 'Create the branch, or correct GITHUB_BRANCH.'),
    ];
  }
}

/** The first image makes the first commit of an empty repository. */
async function isEmpty(client: GithubClient, { owner, repo, branch }: Location): Promise<boolean> {
  return client
    .ask(() =>
      client.request('GET /repos/{owner}/{repo}/git/ref/{ref}', { owner, repo, ref: `heads/${branch}` }),
    )
    .then(
      () => false,
      (error) => error instanceof GithubRefusal && saysEmpty(error),
    );
}

async function checkWriting(client: GithubClient, { owner, repo }: Location): Promise<Finding[]> {
  try {
    await client.ask(() =>
      client.request('POST /repos/{owner}/{repo}/git/blobs', {
        owner,
        repo,
        content: 'Fixative checks that it can write here.\n',
        encoding: 'utf-8',
      }),
    );
    return [];
  } catch (error) {
    if (error instanceof GithubRefusal && saysEmpty(error)) return [];
    return [refused(error, 'that the token may write contents (Contents: Read and write)')];
  }
}

function refused(error: unknown, what: string): Finding {
  const isLimited = error instanceof GithubRefusal && error.limitedUntil !== null;
  const message = `github: ${messageOf(error)}.`;
  if (isLimited) return warning(message, 'Wait until then. Use a token of its own for this server.');
  return failure(message, `Check ${what}.`);
}
