/** Relation of a member of the family to the one above it in the tree. */
export type Kinship = 'here' | 'parent' | 'edit' | 'whole' | 'part' | 'reference';

export interface FamilyNode<Member> {
  readonly member: Member;
  readonly kinship: Kinship;
  readonly children: readonly FamilyNode<Member>[];
}

/** Fields of an image that say who its family is. */
export interface Relatives<Member> {
  readonly parent?: (Member & { readonly parent?: unknown }) | null;
  readonly whole?: Member | null;
  readonly parts: readonly Member[];
  readonly references: readonly Member[];
  readonly edits: readonly (Member & { readonly edits?: readonly Member[] })[];
}

interface Identified {
  readonly id: string;
}

/**
 * Returns the family of an image as trees. The first one leads from its oldest ancestor to its parts and edits.
 * References that are no ancestors follow.
 */
export function familyOf<Member extends Identified>(
  image: Member & Relatives<Member>,
): readonly FamilyNode<Member>[] {
  const ancestors = ancestorsOf<Member>(image);
  const here: FamilyNode<Member> = {
    member: image,
    kinship: 'here',
    children: [
      ...image.parts.map((member) => leaf(member, 'part')),
      ...image.edits.map((member) => ({
        member,
        kinship: 'edit' as const,
        children: (member.edits ?? []).map((each) => leaf(each, 'edit')),
      })),
    ],
  };
  const inWhole = image.whole ? { member: image.whole, kinship: 'whole' as const, children: [here] } : here;
  const tree = ancestors.reduce<FamilyNode<Member>>(
    (below, member) => ({ member, kinship: 'parent', children: [below] }),
    inWhole,
  );
  const shown = new Set(ancestors.map(({ id }) => id));
  const references = image.references.filter(({ id }) => !shown.has(id) && id !== image.id);
  return [tree, ...references.map((member) => leaf(member, 'reference'))];
}

const leaf = <Member>(member: Member, kinship: Kinship): FamilyNode<Member> => ({
  member,
  kinship,
  children: [],
});

/** Returns the ancestors of an image, its parent first. */
function ancestorsOf<Member>({ parent }: Relatives<Member>): Member[] {
  const found: Member[] = [];
  for (let each = parent; each; each = each.parent as typeof parent) found.push(each);
  return found;
}

/** Whether the family is the image alone. */
export const isAlone = (trees: readonly FamilyNode<unknown>[]): boolean =>
  trees.length === 1 && trees[0]?.kinship === 'here' && trees[0].children.length === 0;
