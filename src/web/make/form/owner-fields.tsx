import { useSession } from '../../client/session.tsx';
import { Field } from '../../design/field.tsx';
import { TagsField } from '../../design/tags-field.tsx';
import { make as text } from '../../text/make.ts';
import { text as shared } from '../../text/shared.ts';
import type { Draft } from '../draft.ts';
import { Choice } from './choice.tsx';
import type { Form } from './form.ts';

/** Tags, visibility and owner of the images. */
export function OwnerFields({ draft, set, faultOf }: Form) {
  const { viewer, server } = useSession();
  return (
    <>
      <TagsField
        label={shared.tags}
        value={draft.tags}
        onChange={(tags) => set({ tags })}
        error={faultOf('tags')}
      />
      <Choice
        label={text.visibility}
        error={faultOf('visibility')}
        value={draft.visibility}
        onChange={(visibility) => set({ visibility: visibility as Draft['visibility'] })}
      >
        <option value="">{text.byDefault(text.visibilities[server.defaultVisibility])}</option>
        {Object.entries(text.visibilities).map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </Choice>
      {viewer.userId === null ? (
        <Field label={text.user} hint={text.byDefault(viewer.defaultUserId)} error={faultOf('userId')}>
          {(control) => (
            <input
              {...control}
              value={draft.userId}
              maxLength={255}
              onChange={({ target }) => set({ userId: target.value })}
            />
          )}
        </Field>
      ) : null}
    </>
  );
}
