/**
 * Random GraphQL documents of a schema, with variables: valid ones, and some invalid ones.
 * - Variables are used wherever a value may be. They are sent, left out or null, have defaults, and are
 *   nullable or not.
 * - Lists are given as one value.
 * - Fields come twice, under aliases, in fragments, and with @skip and @include.
 *
 * Over 300 lines because its functions share the state of one document.
 */
import {
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLNamedType,
  GraphQLNonNull,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import { type Chance, makeChance } from './chance.ts';

export interface GeneratedDocument {
  readonly kind: 'query' | 'mutation';
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly operationName: string | null;
  /** Paths of the variables that are files, as in the map of a multipart request. */
  readonly files: readonly string[];
}

const ALIASES = [
  'a',
  'b',
  'a_b',
  'id',
  'prompt',
  'constructor',
  'toString',
  'hasOwnProperty',
  '__proto__',
  'then',
];
const STRINGS = [
  '',
  'x',
  'näh',
  '日本',
  '💥',
  'a"b\\c',
  'two\nlines',
  '\u2028',
  '0',
  'null',
  'true',
  '2026-01-02T03:04:05Z',
];
const INTS = [0, 1, 2, 100, -1, 2 ** 31 - 1, -(2 ** 31)];
const BAD_INTS = [2 ** 31, 1.5, Number.POSITIVE_INFINITY];
const MAX_DEPTH = 5;

/** Values to choose from, such as ids that the database has. */
export interface Values {
  readonly ids?: readonly string[];
  readonly strings?: readonly string[];
}

/** @param kinds of the operations to make. */
export function makeDocument(
  schema: GraphQLSchema,
  seed: number,
  values: Values = {},
  kinds: readonly GeneratedDocument['kind'][] = ['query', 'query', 'query', 'mutation'],
): GeneratedDocument {
  return new Maker(schema, makeChance(seed), values).make(kinds);
}

interface Variable {
  readonly definition: string;
  /** Value of the variable; undefined: not sent. */
  readonly value: unknown;
}

class Maker {
  readonly #schema: GraphQLSchema;
  readonly #chance: Chance;
  readonly #variables = new Map<string, Variable>();
  readonly #fragments: { name: string; type: GraphQLNamedType; text: string }[] = [];
  readonly #files: string[] = [];
  readonly #values: Values;
  #fieldsLeft = 60;
  #aliases = 0;

  constructor(schema: GraphQLSchema, chance: Chance, values: Values) {
    this.#schema = schema;
    this.#chance = chance;
    this.#values = values;
  }

  make(kinds: readonly GeneratedDocument['kind'][]): GeneratedDocument {
    const chance = this.#chance;
    const kind = chance.oneOf(kinds);
    const root = kind === 'query' ? this.#schema.getQueryType() : this.#schema.getMutationType();
    const set = this.#selectionSet(root as GraphQLNamedType, 0);
    const definitions = [...this.#variables.values()].map(({ definition }) => definition);
    const isNamed = chance.of(0.6);
    const head = definitions.length > 0 ? `(${definitions.join(', ')})` : '';
    const texts = [
      `${kind}${isNamed ? ' Q' : ''}${head}${set}`,
      ...this.#fragments.map(({ name, type, text }) => `fragment ${name} on ${type.name}${text}`),
    ];
    if (isNamed && chance.of(0.2)) texts.splice(chance.below(2), 0, 'query Other { __typename }');
    if (!isNamed && head === '' && kind === 'query' && chance.of(0.3)) texts[0] = set.trim();
    const variables = Object.fromEntries(
      [...this.#variables]
        .filter(([, { value }]) => value !== undefined)
        .map(([name, { value }]) => [name, value]),
    );
    if (chance.of(0.05)) variables.nobodyAsked = chance.oneOf<unknown>([1, null, {}, 'x']);
    const hasTwo = texts.some((text) => text.startsWith('query Other'));
    return {
      kind,
      query: texts.join('\n'),
      variables,
      operationName: hasTwo ? chance.oneOf(['Q', 'Q', 'Other']) : isNamed && chance.of(0.5) ? 'Q' : null,
      files: this.#files,
    };
  }

  #selectionSet(type: GraphQLNamedType, depth: number): string {
    const chance = this.#chance;
    if (!isCompositeType(type)) return '';
    const texts = chance.many(1, depth === 0 ? 3 : 6, () => this.#selection(type, depth));
    return ` { ${texts.join(' ')} }`;
  }

  #selection(type: GraphQLNamedType, depth: number): string {
    const chance = this.#chance;
    if (depth < MAX_DEPTH && chance.of(0.12)) return this.#fragment(type, depth);
    if (!isObjectType(type) && !isInterfaceType(type)) return '__typename';
    const fields = Object.values(type.getFields()).filter(
      (each) => depth < MAX_DEPTH || !isCompositeType(getNamedType(each.type)),
    );
    if (fields.length === 0 || this.#fieldsLeft <= 0 || chance.of(0.04))
      return `${chance.of(0.3) ? `${this.#alias()}: ` : ''}__typename`;
    this.#fieldsLeft--;
    const field = chance.oneOf(fields);
    const named = getNamedType(field.type);
    const args = this.#args(field.args);
    // Fields with different arguments cannot share a name.
    const alias = chance.of(args === '' ? 0.15 : 0.85) ? `${this.#alias()}: ` : '';
    const name = chance.of(0.001) ? 'nosuch' : field.name;
    const once = () => `${alias}${name}${args}${this.#directive()}${this.#selectionSet(named, depth + 1)}`;
    // A field twice under one name: GraphQL merges the selections.
    return chance.of(0.08) ? `${once()} ${once()}` : once();
  }

  #alias(): string {
    return this.#chance.of(0.85) ? `x${this.#aliases++}` : this.#chance.oneOf(ALIASES);
  }

  #fragment(type: GraphQLNamedType, depth: number): string {
    const chance = this.#chance;
    const known = this.#fragments.filter((each) => this.#applies(each.type, type));
    if (known.length > 0 && chance.of(0.4)) return `...${chance.oneOf(known).name}${this.#directive()}`;
    const on = this.#related(type);
    if (chance.of(0.5)) {
      const condition = on === type && chance.of(0.3) ? '' : ` on ${on.name}`;
      return `...${condition}${this.#directive()}${this.#selectionSet(on, depth + 1)}`;
    }
    const text = this.#selectionSet(on, depth + 1);
    const name = `F${this.#fragments.length}`;
    this.#fragments.push({ name, type: on, text });
    return `...${name}${this.#directive()}`;
  }

  #applies(condition: GraphQLNamedType, type: GraphQLNamedType): boolean {
    if (condition === type) return true;
    return isAbstractType(condition) && isObjectType(type) && this.#schema.isSubType(condition, type);
  }

  /** Returns a type whose fragment may be used in a selection of `type`. */
  #related(type: GraphQLNamedType): GraphQLNamedType {
    const chance = this.#chance;
    if (isAbstractType(type) && chance.of(0.7)) return chance.oneOf(this.#schema.getPossibleTypes(type));
    if (isObjectType(type) && chance.of(0.3)) return chance.oneOf([type, ...type.getInterfaces()]);
    return type;
  }

  #directive(): string {
    const chance = this.#chance;
    if (chance.of(0.88)) return '';
    const name = chance.oneOf(['skip', 'include']);
    if (chance.of(0.3)) return ` @${name}(if: ${chance.of(0.5)})`;
    const known = [...this.#variables.keys()].filter((each) => each.startsWith('if'));
    const variable = known.length > 0 && chance.of(0.6) ? chance.oneOf(known) : this.#condition();
    return ` @${name}(if: $${variable})`;
  }

  #condition(): string {
    const chance = this.#chance;
    const name = `if${this.#variables.size}`;
    const [definition, values] = chance.oneOf<[string, unknown[]]>([
      [`$${name}: Boolean!`, [true, false]],
      [`$${name}: Boolean! = ${chance.of(0.5)}`, [true, false, undefined]],
      // Null is a value of the variable's type, but not of the directive's argument.
      [`$${name}: Boolean = ${chance.of(0.5)}`, [true, false, undefined, null]],
    ]);
    this.#variables.set(name, { definition, value: chance.oneOf(values) });
    return name;
  }

  #args(args: readonly GraphQLArgument[]): string {
    const given = args.flatMap((arg) => {
      if (!isRequired(arg) && this.#chance.of(0.5)) return [];
      return this.#chance.of(0.004) ? [] : [`${arg.name}: ${this.#literal(arg.type, 0, arg)}`];
    });
    return given.length > 0 ? `(${given.join(', ')})` : '';
  }

  /** Returns a value as a document writes it. `place`: the argument or input field, with its default. */
  #literal(type: GraphQLInputType, depth: number, place: { defaultValue?: unknown } | null): string {
    const chance = this.#chance;
    if (chance.of(0.35)) return `$${this.#variable(type, place)}`;
    if (chance.of(isNonNullType(type) ? 0.002 : 0.08)) return 'null';
    return this.#nonNullLiteral(isNonNullType(type) ? type.ofType : type, depth);
  }

  #nonNullLiteral(type: GraphQLInputType, depth: number): string {
    const chance = this.#chance;
    if (isListType(type)) {
      if (chance.of(0.2)) return this.#literal(type.ofType, depth + 1, null);
      return `[${chance.many(0, 3, () => this.#literal(type.ofType, depth + 1, null)).join(', ')}]`;
    }
    if (isInputObjectType(type)) {
      const fields = this.#fieldsOf(type, depth).map(
        (field) => `${field.name}: ${this.#literal(field.type, depth + 1, field)}`,
      );
      if (chance.of(0.01)) fields.push('nosuch: 1');
      return `{ ${fields.join(', ')} }`;
    }
    if (isEnumType(type)) return chance.of(0.01) ? 'NOSUCH' : chance.oneOf(type.getValues()).name;
    if (type.name === 'JSON') return this.#jsonLiteral(depth);
    if (chance.of(0.01)) return chance.oneOf(['1', '"x"', '1.5', 'true', 'NAME', '{}', '[]']);
    const value = this.#scalar(type.name);
    if (typeof value === 'string' && chance.of(0.1))
      return `"""${value.replaceAll('"', "'").replaceAll('\\', '/')}"""`;
    return Number.isFinite(value) || typeof value !== 'number' ? JSON.stringify(value) : '1e400';
  }

  #jsonLiteral(depth: number): string {
    const chance = this.#chance;
    const kind = chance.random();
    if (kind < 0.15) return `$${this.#anyVariable()}`;
    if (kind < 0.55 || depth > 4)
      return chance.oneOf([
        '1',
        '-0',
        '1.5',
        '1e3',
        '"x"',
        'true',
        'null',
        'NAME',
        '123456789012',
        '"é"',
        '{}',
        '[]',
      ]);
    if (kind < 0.7) return `[${chance.many(0, 3, () => this.#jsonLiteral(depth + 1)).join(', ')}]`;
    const names = ['a', 'b', 'constructor', 'toString', 'c_d'];
    const fields = chance.many(0, 3, (at) => `${names[at]}: ${this.#jsonLiteral(depth + 1)}`);
    return `{ ${fields.join(', ')} }`;
  }

  #anyVariable(): string {
    const name = `j${this.#variables.size}`;
    const [type, values] = this.#chance.oneOf<[string, unknown[]]>([
      ['String', ['v', null, undefined]],
      ['Int = 5', [1, null, undefined]],
      ['JSON', [{ k: [1] }, null, undefined]],
      ['[ImageStatus!]', [['SUCCESS'], 'FAILED', undefined]],
    ]);
    this.#variables.set(name, { definition: `$${name}: ${type}`, value: this.#chance.oneOf(values) });
    return name;
  }

  #variable(type: GraphQLInputType, place: { defaultValue?: unknown } | null): string {
    const chance = this.#chance;
    const name = `v${this.#variables.size}`;
    // The name is reserved before its default and value are made, which add no variables.
    this.#variables.set(name, { definition: '', value: undefined });
    const nullable = isNonNullType(type) ? type.ofType : type;
    const hasDefault = chance.of(0.25);
    // A nullable variable may be used for a non-null argument when either has a default.
    const mayBeNullable = !isNonNullType(type) || hasDefault || place?.defaultValue !== undefined;
    const isLoose = mayBeNullable ? chance.of(0.7) : chance.of(0.005);
    const written = chance.of(0.005) ? 'String' : `${nullable}${isLoose ? '' : '!'}`;
    const value = this.#valueOf(nullable, 0, [`variables.${name}`]);
    const fallback = hasDefault ? ` = ${this.#constant(nullable, !isNonNullType(type))}` : '';
    const given = chance.random();
    const mayBeMissing = isLoose || hasDefault || chance.of(0.01);
    this.#variables.set(name, {
      definition: `$${name}: ${written}${fallback}`,
      value:
        given < 0.25 && mayBeMissing ? undefined : given < 0.4 && (isLoose || chance.of(0.02)) ? null : value,
    });
    return name;
  }

  #constant(type: GraphQLInputType, mayBeNull: boolean): string {
    const chance = this.#chance;
    if (mayBeNull && chance.of(0.2)) return 'null';
    return writeConstant(this.#valueOf(type, 2, null), type);
  }

  /** Returns a value as JSON. `path`: its path in the variables; null where no file may be. */
  #valueOf(type: GraphQLInputType, depth: number, path: readonly string[] | null): unknown {
    const chance = this.#chance;
    if (isNonNullType(type)) return chance.of(0.004) ? null : this.#valueOf(type.ofType, depth, path);
    if (depth > 0 && chance.of(0.1)) return null;
    if (isListType(type)) {
      if (chance.of(0.2)) return this.#valueOf(type.ofType, depth + 1, path);
      return chance.many(0, 3, (at) => this.#valueOf(type.ofType, depth + 1, path && [...path, String(at)]));
    }
    if (isInputObjectType(type)) {
      const fields = this.#fieldsOf(type, depth);
      const entries = fields.map((field): [string, unknown] => [
        field.name,
        this.#valueOf(field.type, depth + 1, path && [...path, field.name]),
      ]);
      if (chance.of(0.01)) entries.push(['nosuch', 1]);
      return Object.fromEntries(entries);
    }
    if (isEnumType(type)) return chance.of(0.01) ? 'NOSUCH' : chance.oneOf(type.getValues()).name;
    if (type.name === 'Upload') {
      if (path) this.#files.push(path.join('.'));
      return null;
    }
    if (path && chance.of(0.01)) return chance.oneOf<unknown>([1, 'x', 1.5, true, {}, []]);
    return this.#scalar(type.name);
  }

  /** Chooses fields of an input object: of a OneOf object exactly one, most of the time. */
  #fieldsOf(type: GraphQLInputObjectType, depth: number): InputField[] {
    const chance = this.#chance;
    const fields = Object.values(type.getFields());
    if (type.isOneOf && chance.of(0.97)) {
      const { name, type: nullable } = chance.oneOf(fields);
      return [{ name, type: new GraphQLNonNull(nullable) }];
    }
    const share = depth > 2 ? 0.1 : 0.3;
    return fields.filter((field) => chance.of(isRequired(field) ? 0.99 : share));
  }

  #scalar(name: string): unknown {
    const chance = this.#chance;
    switch (name) {
      case 'Int':
        return chance.oneOf(chance.of(0.02) ? BAD_INTS : INTS);
      case 'BigInt':
        return chance.oneOf([0, 5, 2 ** 40]);
      case 'Float':
        return chance.oneOf([0, 1.5, -2, 1e20]);
      case 'Boolean':
        return chance.of(0.5);
      case 'ID':
        return chance.oneOf<unknown>(this.#values.ids ?? ['x', 'SW1hZ2U6MQ==', 7, '']);
      case 'DateTime':
        return chance.oneOf([
          '2026-11-21T09:35:00Z',
          '2026-11-21T09:35:00.123+02:00',
          '1970-01-01T00:00:00Z',
        ]);
      case 'JSON':
        return chance.oneOf<unknown>([{}, { a: { b: [1, null] } }, [], 'x', 1, true, { constructor: 1 }]);
      default:
        return chance.oneOf(this.#values.strings ?? STRINGS);
    }
  }
}

type InputField = Pick<GraphQLInputField, 'name' | 'type'> & { readonly defaultValue?: unknown };

function isRequired({ type, defaultValue }: { type: GraphQLInputType; defaultValue?: unknown }): boolean {
  return isNonNullType(type) && defaultValue === undefined;
}

/** Returns a JSON value as a document writes it: enum values have no quotes. */
function writeConstant(value: unknown, type: GraphQLInputType | null): string {
  const inner = type && (isNonNullType(type) ? type.ofType : type);
  if (Array.isArray(value)) {
    const item = inner && isListType(inner) ? inner.ofType : null;
    return `[${value.map((each) => writeConstant(each, item)).join(', ')}]`;
  }
  if (inner && isListType(inner)) return writeConstant(value, inner.ofType);
  if (typeof value === 'object' && value !== null) {
    const fields = inner && isInputObjectType(inner) ? inner.getFields() : {};
    const entries = Object.entries(value).map(
      ([name, each]) => `${name}: ${writeConstant(each, fields[name]?.type ?? null)}`,
    );
    return `{ ${entries.join(', ')} }`;
  }
  if (typeof value === 'string' && isEnumType(inner)) return value;
  return typeof value === 'number' && !Number.isFinite(value) ? '1e400' : JSON.stringify(value);
}
