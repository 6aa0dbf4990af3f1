import { useState } from 'react';
import { useQuery } from 'urql';
import { TagsField, type TagsFieldProps } from '../design/tags-field.tsx';
import { TagSuggestionsDocument } from '../generated/graphql.ts';
import { useMay } from './session.tsx';

/** A list of tags with those that are used most to choose from. They are read when the field is used. */
export function SuggestedTags(props: Omit<TagsFieldProps, 'suggestions' | 'onUse'>) {
  const [isUsed, setUsed] = useState(false);
  const mayRead = useMay('IMAGES_READ');
  const [{ data }] = useQuery({ query: TagSuggestionsDocument, pause: !(isUsed && mayRead) });
  const suggestions = (data?.imageFacets.tags ?? []).map(({ value }) => value);
  return <TagsField {...props} suggestions={suggestions} onUse={() => setUsed(true)} />;
}
