import { useMutation } from 'urql';
import { faultOf } from '../../client/errors.ts';
import { showToast } from '../../design/toast.tsx';
import { ChangeImageDocument, type UpdateImageInput } from '../../generated/graphql.ts';

/** Returns a function that changes an image and says `message`. It returns why that failed, or null. */
export function useUpdate({ id }: { readonly id: string }) {
  const [{ fetching }, run] = useMutation(ChangeImageDocument);
  const update = async (change: Omit<UpdateImageInput, 'id'>, message: string): Promise<string | null> => {
    const fault = faultOf(await run({ input: { ...change, id } }));
    if (fault === null) showToast(message);
    return fault;
  };
  return { isBusy: fetching, update };
}
