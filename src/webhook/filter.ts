/** Conditions for the images of an endpoint's events. An image must meet all that are given. */
export interface WebhookFilter {
  /** IDs of users, one of which the image must have. */
  readonly userIds?: readonly string[];
  readonly tools?: readonly string[];
  /** Tags, one of which the image must have. */
  readonly tags?: readonly string[];
  readonly origins?: readonly string[];
}

interface FilteredImage {
  readonly userId: string;
  readonly tool: string;
  readonly tags: readonly string[] | null;
  readonly origin: string;
}

export function matchesFilter(filter: WebhookFilter | null, image: FilteredImage): boolean {
  const { userIds, tools, tags, origins } = filter ?? {};
  return (
    (!userIds || userIds.includes(image.userId)) &&
    (!tools || tools.includes(image.tool)) &&
    (!origins || origins.includes(image.origin)) &&
    (!tags || (image.tags ?? []).some((tag) => tags.includes(tag)))
  );
}
