import type { z } from 'zod';

/** One environment variable: how its text is read, where the value goes, and what its documentation says. */
export interface Setting {
  /**
   * Property of `Config` that holds the value. `group.member` puts it into a group. When several settings
   * share a property, the first one that is set counts.
   */
  readonly property: string;
  /**
   * Reads the text. `parser.description` is the range or the list of allowed values, for the documentation.
   */
  readonly parser: z.ZodType;
  /** Text to read when the variable is not set. Without a default the property is null then. */
  readonly default?: string;
  /** The default in words, when it depends on other settings. */
  readonly defaultText?: string;
  /** Value to show in .env.example instead of the default. */
  readonly example?: string;
  /** The group is null unless all its needed settings are set. */
  readonly needed?: true;
  /** Part that must not appear in logs: the value (a text or a list of texts), or the password of a URL. */
  readonly secret?: 'value' | 'password';
  /** In plain English, with the unit. The range and the default are added to it. */
  readonly description: string;
}

export type Settings = Readonly<Record<string, Setting>>;

/** Settings that are documented together. */
export interface Section {
  readonly title: string;
  /** Paragraphs that stand before the settings. */
  readonly about?: readonly string[];
  readonly settings: Settings;
}

type ParsedValue<Each extends Setting> = Each extends { readonly default: string }
  ? z.output<Each['parser']>
  : z.output<Each['parser']> | undefined;

/** The values of a table of settings by the names of their variables. */
export type ParsedValues<Table extends Settings> = {
  readonly [Name in keyof Table]: ParsedValue<Table[Name]>;
};

type PropertyValue<Each extends Setting> = Each extends
  | { readonly default: string }
  | { readonly needed: true }
  ? z.output<Each['parser']>
  : z.output<Each['parser']> | null;

type GroupName<Each extends Setting> = Each['property'] extends `${infer Group}.${string}` ? Group : never;

type GroupMembers<Table extends Settings, Group extends string> = {
  readonly [Name in keyof Table as Table[Name]['property'] extends `${Group}.${infer Member}`
    ? Member
    : never]: PropertyValue<Table[Name]>;
};

/** The properties that a table of settings gives to `Config`. */
export type PropertiesOf<Table extends Settings> = {
  readonly [Name in keyof Table as Exclude<Table[Name]['property'], `${string}.${string}`>]: PropertyValue<
    Table[Name]
  >;
} & {
  readonly [Name in keyof Table as GroupName<Table[Name]>]:
    | GroupMembers<Table, GroupName<Table[Name]>>
    | (Table[Name] extends { readonly needed: true } ? null : never);
};

/** Returns the zod parsers of a table, with their defaults, by the names of the variables. */
export function parsersOf(table: Settings): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(table).map(([name, { parser, default: text }]) => [
      name,
      text === undefined ? parser.optional() : parser.prefault(text),
    ]),
  );
}

/** Puts parsed values under their properties. A group that lacks a needed value is null. */
export function readProperties<Table extends Settings>(
  table: Table,
  values: ParsedValues<Table>,
): PropertiesOf<Table> {
  const properties: Record<string, unknown> = {};
  const groups = new Map<string, Record<string, unknown>>();
  const incomplete = new Set<string>();
  for (const [name, { property }] of Object.entries(table)) {
    const [group = '', member] = property.split('.');
    const target = member === undefined ? properties : (groups.get(group) ?? {});
    if (member !== undefined) groups.set(group, target);
    target[member ?? group] ??= values[name] ?? null;
  }
  for (const { property, needed } of Object.values(table)) {
    const [group = '', member = ''] = property.split('.');
    if (needed && groups.get(group)?.[member] === null) incomplete.add(group);
  }
  for (const [group, members] of groups) properties[group] = incomplete.has(group) ? null : members;
  return properties as PropertiesOf<Table>;
}

/** Returns the values of the secret settings, which must not appear in logs. */
export function secretsIn<Table extends Settings>(table: Table, values: ParsedValues<Table>): string[] {
  const secrets: string[] = [];
  for (const [name, { secret }] of Object.entries(table)) {
    if (secret === undefined) continue;
    const texts = [(values[name] ?? []) as string | readonly string[]].flat();
    secrets.push(
      ...(secret === 'value' ? texts : texts.map((url) => decodeURIComponent(new URL(url).password))),
    );
  }
  return secrets.filter((text) => text !== '');
}

/** Names the settings of a group that are missing although another setting of the group is set. */
export function faultsOfGroup(
  table: Settings,
  group: string,
  environment: Readonly<Record<string, unknown>>,
): string[] {
  const members = Object.entries(table).filter(([, { property }]) => property.startsWith(`${group}.`));
  const first = members.find(([name]) => name in environment);
  if (first === undefined) return [];
  return members
    .filter(([name, { needed }]) => needed && !(name in environment))
    .map(([name]) => `${name}: expected a value, because ${first[0]} is set`);
}
