import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { schemaText } from '../../src/command/schema.ts';

const at = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** The operations that clients already hold; beside the checkout, so it is not in every clone. */
const CONTRACT = at('../../../shared/contract');

describe.skipIf(!existsSync(CONTRACT))('the contract', async () => {
  const names = existsSync(CONTRACT)
    ? (await readdir(CONTRACT)).filter((name) => name.endsWith('.graphql'))
    : [];
  const fragment = existsSync(CONTRACT)
    ? await readFile(path.join(CONTRACT, 'image.fragment.graphql'), 'utf8')
    : '';
  const schema = buildSchema(schemaText());

  test.each(names.filter((name) => name !== 'image.fragment.graphql'))('%s is valid', async (name) => {
    const text = await readFile(path.join(CONTRACT, name), 'utf8');
    const document = parse(text.includes('...ImageCore') ? text + fragment : text);
    const errors = validate(schema, document).map((error) => error.message);
    // Validation has nothing to say of an operation whose root type does not exist.
    for (const node of document.definitions) {
      if (node.kind === 'OperationDefinition' && !schema.getRootType(node.operation))
        errors.push(`no ${node.operation}`);
    }
    expect(errors).toEqual([]);
  });

  test("our own tests' documents are the contract's", async () => {
    for (const name of await readdir(at('../documents'))) {
      if (!names.includes(name)) continue;
      expect(await readFile(at(`../documents/${name}`), 'utf8'), name).toBe(
        await readFile(path.join(CONTRACT, name), 'utf8'),
      );
    }
  });
});

test('schema.graphql is what the code says; `npm run schema` writes it', async () => {
  expect(await readFile(at('../../schema.graphql'), 'utf8')).toBe(schemaText());
});
