import type { FieldMap, InputFieldMap, InputShapeFromFields } from '@pothos/core';
import { asActor } from '../../audit/actor.ts';
import type { Scope } from '../../auth/caller.ts';
import { isDatabaseAway } from '../../database/driver/errors.ts';
import { diskErrorOf } from '../../database/pglite/disk-fault.ts';
import { FixativeError } from '../../errors.ts';
import { builder, type InputFields, type SchemaTypes } from '../builder/builder.ts';
import { type FieldCost, LIST_COST, MUTATION_COST } from '../builder/costs.ts';
import type { GraphqlContext } from '../context.ts';
import { Image } from '../image/image.ts';
import type { ImageShape } from '../image/image-shape.ts';
import { type Fault, UserError } from '../user-error.ts';

interface UserErrors {
  readonly userErrors: Fault[];
}

export interface PayloadOptions<Result extends object> {
  readonly description: string;
  /** Values of the fields when the mutation fails and `userErrors` says why. */
  readonly empty: Result;
  readonly fields: (t: PothosSchemaTypes.ObjectFieldBuilder<SchemaTypes, Result & UserErrors>) => FieldMap;
}

interface MutationOptions<Fields extends InputFieldMap, Result extends object> {
  readonly name: string;
  readonly scope: Scope;
  readonly description: string;
  /** Counts the images that it asks a provider for. */
  readonly pictures?: FieldCost['pictures'];
  readonly input: { readonly description: string; readonly fields: (t: InputFields) => Fields };
  readonly payload: PayloadOptions<Result>;
  /** Resolves to the payload, and to the errors that did not stop it. */
  readonly resolve: (
    input: InputShapeFromFields<Fields>,
    context: GraphqlContext,
  ) => Promise<Result & { readonly errors?: readonly FixativeError[] }>;
}

/**
 * Adds a mutation `doThis(input: DoThisInput!): DoThisPayload`. Errors that the input can cause are returned
 * in `userErrors`. The payload is nullable, so that a mutation that fails otherwise does not take the results
 * of the others in the document with it.
 */
export function mutation<Fields extends InputFieldMap, Result extends object>(
  options: MutationOptions<Fields, Result>,
): void {
  const { name, scope, description, pictures, input, payload, resolve } = options;
  const typeName = name.charAt(0).toUpperCase() + name.slice(1);
  const inputType = builder.inputType(`${typeName}Input`, input);
  const payloadType = builder.objectRef<Result & UserErrors>(`${typeName}Payload`).implement({
    description: payload.description,
    fields: (t) => ({
      ...payload.fields(t as never),
      userErrors: t.field({
        type: [UserError],
        description:
          'Why the mutation failed, wholly or in part; empty on success. Errors of the request itself, such as UNAUTHENTICATED, FORBIDDEN, TIMED_OUT, DATABASE_UNAVAILABLE and INTERNAL, are in `errors` of the response.',
        extensions: { cost: LIST_COST },
        resolve: ({ userErrors }) => userErrors,
      }),
    }),
  });
  builder.mutationField(name, (t) =>
    t.field({
      type: payloadType,
      nullable: true,
      description,
      extensions: { scope, cost: { ...MUTATION_COST, ...(pictures ? { pictures } : {}) } },
      args: {
        input: t.arg({ type: inputType, required: true, description: `Parameters for \`${name}\`.` }),
      },
      resolve: (_root, args, context) => {
        const { input: given } = args as { input: InputShapeFromFields<Fields> };
        const run = () =>
          asActor(context.caller, () => withUserErrors(payload.empty, () => resolve(given, context)));
        // TypeScript cannot decide Pothos's type of a result whose fields are not known yet.
        return withFreshLoaders(context, run) as never;
      },
    }),
  );
}

/**
 * Clears the loaders before and after a mutation: an earlier mutation of the document has filled them, and
 * this one changes what they read.
 */
async function withFreshLoaders<Result>(
  { loaders }: GraphqlContext,
  work: () => Promise<Result>,
): Promise<Result> {
  loaders.clear();
  try {
    return await work();
  } finally {
    loaders.clear();
  }
}

/** Codes of errors of the request; no input causes them. */
const REQUEST_ERRORS: readonly string[] = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'DATABASE_UNAVAILABLE',
  'INTERNAL',
];

/**
 * Runs a mutation and puts the errors that an input can cause into `userErrors`.
 * @throws every other error
 */
async function withUserErrors<Result extends object>(
  empty: Result,
  work: () => Promise<Result & { readonly errors?: readonly FixativeError[] }>,
): Promise<Result & UserErrors> {
  try {
    const result = await work();
    return withFaults(result, result.errors ?? []);
  } catch (error) {
    const known = error instanceof FixativeError ? error : diskErrorOf('The server', error);
    if (known === null || REQUEST_ERRORS.includes(known.code) || isDatabaseAway(error)) throw error;
    return withFaults(empty, [known]);
  }
}

const withFaults = <Result extends object>(result: Result, errors: readonly FixativeError[]) => ({
  ...result,
  userErrors: errors.map((fault) => ({ fault })),
});

export interface ImageResult {
  readonly image: ImageShape | null;
}

/** Returns the payload of a mutation of one image. */
export const imagePayload = (description: string): PayloadOptions<ImageResult> => ({
  description,
  empty: { image: null },
  fields: (t) => ({
    image: t.expose('image', {
      type: Image,
      nullable: true,
      description: 'The image after the mutation; null if it failed and `userErrors` says why.',
    }),
  }),
});
