import { useMemo, useState } from 'react';
import { useClient } from 'urql';
import { useMay, useSession } from '../client/session.tsx';
import { Button } from '../design/button.tsx';
import { Notice } from '../design/notice.tsx';
import { useTitle } from '../design/page.tsx';
import { makeActions, runOnAll } from '../grid/bulk/actions.ts';
import type { ImageList } from '../grid/list/list.ts';
import { useCount } from '../grid/list/use-count.ts';
import { useList } from '../grid/list/use-list.ts';
import { ListView } from '../grid/list-view.tsx';
import { formatFilter } from '../state/filter.ts';
import { trash as text } from '../text/gallery.ts';
import { EmptyDialog } from './empty-dialog.tsx';
import styles from './trash-page.module.css';

const QUERY = formatFilter({ trash: 'only' });

/** Images in the trash, with the days that each is still there. */
export default function TrashPage() {
  useTitle(text.title);
  const { trashDays } = useSession().server;
  const list = useList('trash', QUERY);
  return (
    <div className={styles.page}>
      <ListView
        address="trash"
        list={list}
        isTrash
        toolbar={<Toolbar list={list} />}
        head={<p className={styles.hint}>{text.hint(trashDays)}</p>}
        empty={
          <Notice icon="trash" title={text.empty}>
            <p>{text.emptyHint(trashDays)}</p>
          </Notice>
        }
      />
    </div>
  );
}

function Toolbar({ list }: { readonly list: ImageList }) {
  const client = useClient();
  const actions = useMemo(() => makeActions(client, list), [client, list]);
  const mayPurge = useMay('IMAGES_WRITE');
  const [isAsking, setAsking] = useState(false);
  const { images, countNow } = useCount(list);
  const { totalCount = 0, totalCountIsExact = true } = images ?? {};
  const ask = () => {
    countNow();
    setAsking(true);
  };
  return (
    <div className={styles.toolbar}>
      <h1>{text.title}</h1>
      {mayPurge && totalCount > 0 ? (
        <Button icon="trash" kind="danger" onClick={ask}>
          {text.emptyNow}
        </Button>
      ) : null}
      <EmptyDialog
        open={isAsking}
        count={totalCount}
        isExact={totalCountIsExact}
        onClose={() => setAsking(false)}
        onConfirm={() => void runOnAll(actions.purge, client, list)}
      />
    </div>
  );
}
