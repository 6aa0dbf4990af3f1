import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSchema, parse, validate } from 'graphql';
import { describe, expect, test } from 'vitest';
import { schemaText } from '../../src/command/schema.ts';

const at = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Operations that clients already hold (README.md). */
const CONTRACT = at('documents');

describe('the contract', async () => {
  const names = (await readdir(CONTRACT)).filter((name) => name.endsWith('.graphql'));
  const fragment = await readFile(path.join(CONTRACT, 'image.fragment.graphql'), 'utf8');
  const schema = buildSchema(schemaText());

  test.each(names.filter((name) => name !== 'image.fragment.graphql'))('%s is valid', async (name) => {
    const text = await readFile(path.join(CONTRACT, name), 'utf8');
    const document = parse(text.includes('...ImageCore') ? text + fragment : text);
    const errors = validate(schema, document).map((error) => error.message);
    // Validation does not report an operation whose root type does not exist.
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
