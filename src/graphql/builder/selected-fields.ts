import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';

type Document = Pick<GraphQLResolveInfo, 'fieldNodes' | 'fragments'>;

/** Returns the fields of a selection set and of its fragments. @skip and @include are ignored. */
export function fieldsOf(
  set: SelectionSetNode | undefined,
  fragments: Document['fragments'],
): readonly FieldNode[] {
  return (set?.selections ?? []).flatMap((each) => {
    if (each.kind === 'Field') return [each];
    const inner = each.kind === 'InlineFragment' ? each : fragments[each.name.value];
    return fieldsOf(inner?.selectionSet, fragments);
  });
}

const known = new WeakMap<object, ReadonlySet<string>>();

/** Returns the names of the fields that a document selects of a field's object. */
export function selectedFields({ fieldNodes, fragments }: Document): ReadonlySet<string> {
  const [first] = fieldNodes;
  const found = first && fieldNodes.length === 1 ? known.get(first) : undefined;
  if (found) return found;
  const fields = fieldNodes.flatMap(({ selectionSet }) => fieldsOf(selectionSet, fragments));
  const names = new Set(fields.map(({ name }) => name.value));
  if (first && fieldNodes.length === 1) known.set(first, names);
  return names;
}
