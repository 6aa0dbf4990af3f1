import { useState } from 'react';
import { useQuery } from 'urql';
import { GalleryDocument } from './generated/graphql.ts';
import { RobustImage } from './robust-image/robust-image-react.js';

/** Images of a page of the list. */
const COUNT = 12;

export function Gallery() {
  const [pages, setPages] = useState<(string | null)[]>([null]);
  return (
    <main>
      <h1>Images</h1>
      {pages.map((after) => (
        <Page
          key={after}
          after={after}
          isLast={after === pages.at(-1)}
          onMore={(next) => setPages([...pages, next])}
        />
      ))}
    </main>
  );
}

interface PageProps {
  readonly after: string | null;
  readonly isLast: boolean;
  readonly onMore: (after: string) => void;
}

function Page({ after, isLast, onMore }: PageProps) {
  const [{ data, error, fetching }] = useQuery({
    query: GalleryDocument,
    variables: { first: COUNT, after },
  });
  if (error) return <p role="alert">{error.message}</p>;
  if (fetching || !data) return <p>Loading …</p>;
  const { nodes, pageInfo } = data.images;
  return (
    <>
      {nodes.map(({ id, url, prompt, width, height, thumbhash }) => (
        <RobustImage
          key={id}
          src={url}
          alt={prompt}
          width={width}
          height={height}
          thumbhash={thumbhash}
          style={{ width: 240 }}
        />
      ))}
      {isLast && pageInfo.hasNextPage && pageInfo.endCursor && (
        <button type="button" onClick={() => onMore(pageInfo.endCursor ?? '')}>
          More
        </button>
      )}
    </>
  );
}
