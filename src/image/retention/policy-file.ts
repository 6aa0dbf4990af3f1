import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { FixativeError, InputError } from '../../errors.ts';
import { type FilePolicy, MAX_POLICIES, parsePolicyName, subjectOf } from './policy.ts';
import { parseRule } from './rule.ts';

/** Most bytes of the file. */
const MAX_BYTES = 1024 * 1024;

const FILE = z.strictObject({
  policies: z.array(z.looseObject({ name: z.string(), enabled: z.boolean().optional() })).max(MAX_POLICIES),
});

/**
 * Reads policies from a file: `{ "policies": [{ "name": …, "enabled": true, "maxAgeDays": 30, … }] }`.
 * @throws FixativeError INVALID_INPUT that names the file and the policy at fault.
 */
export async function readPolicyFile(file: string): Promise<FilePolicy[]> {
  const fail = (what: string, cause?: unknown) =>
    new FixativeError('INVALID_INPUT', `RETENTION_FILE (${file}): ${what}`, { cause });
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw fail(`it cannot be read (${cause.code}). Correct the path, or unset RETENTION_FILE.`, cause);
  });
  if (text.length > MAX_BYTES) throw fail(`it has more than ${MAX_BYTES} bytes.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fail(`it is not valid JSON: ${(cause as Error).message}.`, cause);
  }
  const parsed = FILE.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw fail(`${issue?.path.join('.') || 'the whole'}: ${issue?.message}.`);
  }
  try {
    const policies = parsed.data.policies.map(({ name, enabled = true, ...rule }) => ({
      name: parsePolicyName(name),
      enabled,
      rule: parseRule(rule, subjectOf(name)),
    }));
    const twice = policies.find(
      ({ name }, index) => policies.findIndex((each) => each.name === name) < index,
    );
    if (twice) throw fail(`${subjectOf(twice.name)} is there twice.`);
    return policies;
  } catch (error) {
    if (error instanceof InputError) throw fail(error.message, error);
    throw error;
  }
}
