/** Program of a page with React: renders `RobustImage` for the test, in strict mode. */
import { createElement, StrictMode } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import type { RobustImageProps } from '../../src/web/robust-image/declarations/robust-image-react.d.ts';
import { RobustImage } from '../../src/web/robust-image/react.ts';

let root: Root | null = null;

const page = {
  /** Functions in `heard` receive what happened. */
  heard: [] as string[],
  render(props: RobustImageProps | null): void {
    root ??= createRoot(document.querySelector('#images') as Element);
    const element =
      props &&
      createElement(RobustImage, {
        ...props,
        onStored: ({ attempts }) => page.heard.push(`stored ${attempts}`),
        onPermanentFailure: ({ reason }) => page.heard.push(reason),
      });
    root.render(createElement(StrictMode, null, element));
  },
};

export type ReactPage = typeof page;

Object.assign(window, { react: page });
