import type { GithubClient } from './github-client.ts';
import type { GithubLocation } from './github-listings.ts';
import { GithubRefusal } from './github-refusal.ts';

const CHECK_EVERY_MS = 5 * 60_000;

/**
 * Knows whether the repository is public. GitHub is asked in the background, at once and then every five
 * minutes of use. The answer is false until it is known.
 */
export function makeVisibility(
  client: GithubClient,
  { owner, repo }: GithubLocation,
): { isPublic(): boolean } {
  let isKnownPublic = false;
  let checkedAt = 0;
  function check(): void {
    checkedAt = Date.now();
    client
      .ask(() => client.request('GET /repos/{owner}/{repo}', { owner, repo }))
      .then(
        ({ data }) => {
          isKnownPublic = data.private === false;
        },
        // The last answer stays valid during an outage, but not after a refusal.
        (error) => {
          if (error instanceof GithubRefusal && error.status > 0) isKnownPublic = false;
        },
      );
  }
  check();
  return {
    isPublic() {
      if (Date.now() - checkedAt > CHECK_EVERY_MS) check();
      return isKnownPublic;
    },
  };
}
