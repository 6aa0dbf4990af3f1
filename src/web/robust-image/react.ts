/** React component over `robustImage`. Entry of `robust-image-react.js`, which imports React only. */
import { createElement, type ReactElement, useEffect, useLayoutEffect, useRef, useState } from 'react';
import { robustImage } from './controller.ts';
import type { RobustImageController, RobustImageState } from './declarations/robust-image.d.ts';
import type { RobustImageProps } from './declarations/robust-image-react.d.ts';

/** React on a server knows no layout effects. */
const useEarlyEffect = typeof document === 'undefined' ? useEffect : useLayoutEffect;

/** Styles in a layer, which every class of the page outside of layers overrides. */
const STYLE = `@layer robust-image{
[data-robust-image]{display:inline-block;position:relative;max-width:100%;overflow:hidden;vertical-align:middle;
width:var(--robust-image-width);aspect-ratio:var(--robust-image-ratio);background:no-repeat;object-fit:cover}
[data-robust-image]>img{display:block;width:100%;height:100%;object-fit:inherit;object-position:inherit}
[data-robust-image=sized]>img{position:absolute;inset:0}
[data-robust-image]>span{position:absolute;inset-block-end:.5em;inset-inline-start:.5em;max-width:calc(100% - 2.4em);
padding:.15em .6em;border-radius:1em;font:500 .75rem/1.4 system-ui,sans-serif;color:#fff;background:#000b;
overflow:hidden;text-overflow:ellipsis;white-space:nowrap}}`;

/** Documents and shadow trees that have the styles. */
const styled = new WeakSet<Node>();

function addStyle(element: HTMLElement): void {
  const root = element.getRootNode();
  const isTree = root instanceof Document || root instanceof ShadowRoot;
  if (!isTree || styled.has(root)) return;
  styled.add(root);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets.push(sheet);
}

/** Shows an image of the server. With a class that sets the size, it fills that. */
export function RobustImage(props: RobustImageProps): ReactElement {
  const { className, imageClassName, style, store, mark, ...options } = props;
  const { width, height } = options;
  const frame = useRef<HTMLSpanElement>(null);
  const image = useRef<HTMLImageElement>(null);
  const controller = useRef<RobustImageController | null>(null);
  const [state, setState] = useState<RobustImageState>('pending');
  const hasSize = Boolean(width && height);

  // Variables are set here, because a strict policy forbids attributes `style` in markup of a server.
  useEarlyEffect(() => {
    if (!frame.current) return;
    addStyle(frame.current);
    frame.current.style.setProperty('--robust-image-width', hasSize ? `${width}px` : null);
    frame.current.style.setProperty('--robust-image-ratio', hasSize ? `${width} / ${height}` : null);
  }, [width, height, hasSize]);
  useEarlyEffect(() => {
    if (!frame.current || !image.current) return;
    const given = {
      ...options,
      frame: frame.current,
      onState: (next: RobustImageState) => {
        setState(next);
        options.onState?.(next);
      },
    };
    if (controller.current) controller.current.update(given);
    else controller.current = robustImage(image.current, given);
  });
  useEarlyEffect(
    () => () => {
      controller.current?.stop();
      controller.current = null;
    },
    [],
  );

  // Without JSX the module imports `react` alone.
  return createElement(
    'span',
    { ref: frame, className, style, 'data-robust-image': hasSize ? 'sized' : '', 'data-state': state },
    createElement('img', { ref: image, className: imageClassName, alt: options.alt ?? '' }),
    mark && store && state === 'stored' && createElement('span', null, store),
  );
}
