/** The element `<robust-image>`. */
import { clear } from './attempt.ts';
import { robustImage } from './controller.ts';
import type {
  RobustImageController,
  RobustImageOptions,
  RobustImageState,
} from './declarations/robust-image.d.ts';

const ATTRIBUTES = [
  'src',
  'srcset',
  'sizes',
  'widths',
  'format',
  'alt',
  'width',
  'height',
  'thumbhash',
  'loading',
  'crossorigin',
  'attempts',
  'delay',
  'max-delay',
  'probe',
  'gap',
  'mark',
  'store',
];

/** Properties that a page sets. */
const PROPERTIES = ['src', 'alt', 'renew', 'onStored', 'onPermanentFailure', 'log'] as const;

const STYLE = `:host{display:inline-block;position:relative;max-width:100%;overflow:hidden;vertical-align:middle}
[part=frame],img{position:absolute;inset:0;width:100%;height:100%}
[part=frame]{object-fit:inherit;object-position:inherit;background:no-repeat}
img{display:block;border:0;object-fit:inherit;object-position:inherit}
[part=mark]{position:absolute;inset-block-end:.5em;inset-inline-start:.5em;max-width:calc(100% - 2.4em);
padding:.15em .6em;border-radius:1em;font:500 .75rem/1.4 system-ui,sans-serif;color:#fff;background:#000b;
overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
[hidden]{display:none!important}`;

/** Style sheet that all elements share; made with the first of them. */
let shared: CSSStyleSheet | null = null;

function sharedSheet(): CSSStyleSheet {
  if (shared) return shared;
  shared = new CSSStyleSheet();
  shared.replaceSync(STYLE);
  return shared;
}

/** Parts of the shadow tree. */
interface Parts {
  readonly frame: HTMLElement;
  readonly image: HTMLImageElement;
  readonly mark: HTMLElement;
  /** Size of the element, and whether it is there at all. */
  readonly sheet: CSSStyleSheet;
}

function build(root: ShadowRoot): Parts {
  const named = <Name extends 'div' | 'img' | 'span'>(name: Name, part: string) => {
    const element = document.createElement(name);
    element.setAttribute('part', part);
    return element;
  };
  const [frame, image, mark] = [named('div', 'frame'), named('img', 'image'), named('span', 'mark')];
  const sheet = new CSSStyleSheet();
  mark.hidden = true;
  frame.append(image);
  root.append(frame, mark);
  root.adoptedStyleSheets = [sharedSheet(), sheet];
  return { frame, image, mark, sheet };
}

/** Base of the class where there is no DOM, so that a server can import the module. */
const Base = typeof HTMLElement === 'undefined' ? (class {} as typeof HTMLElement) : HTMLElement;

export class RobustImage extends Base {
  static readonly observedAttributes = ATTRIBUTES;
  #parts: Parts | null = null;
  #controller: RobustImageController | null = null;
  #isQueued = false;
  #size = '';
  #listeners: Pick<RobustImageOptions, 'renew' | 'onStored' | 'onPermanentFailure' | 'log'> = {};

  get state(): RobustImageState {
    return this.#controller?.state ?? 'pending';
  }

  get src(): string {
    return this.getAttribute('src') ?? '';
  }
  set src(value: string | null | undefined) {
    this.setAttribute('src', value ?? '');
  }
  get alt(): string {
    return this.getAttribute('alt') ?? '';
  }
  set alt(value: string) {
    this.setAttribute('alt', value);
  }
  get renew(): RobustImageOptions['renew'] {
    return this.#listeners.renew;
  }
  set renew(value: RobustImageOptions['renew']) {
    this.#listeners.renew = value;
    this.#queue();
  }
  get onStored(): RobustImageOptions['onStored'] {
    return this.#listeners.onStored;
  }
  set onStored(value: RobustImageOptions['onStored']) {
    this.#listeners.onStored = value;
  }
  get onPermanentFailure(): RobustImageOptions['onPermanentFailure'] {
    return this.#listeners.onPermanentFailure;
  }
  set onPermanentFailure(value: RobustImageOptions['onPermanentFailure']) {
    this.#listeners.onPermanentFailure = value;
  }
  get log(): RobustImageOptions['log'] {
    return this.#listeners.log;
  }
  set log(value: RobustImageOptions['log']) {
    this.#listeners.log = value;
  }

  connectedCallback(): void {
    this.#takeOver();
    this.#queue();
  }
  /** An element that is moved leaves and comes back in one task: its picture is not loaded again. */
  disconnectedCallback(): void {
    this.#queue();
  }
  /** Without it, `moveBefore` would count as leaving and coming back. */
  connectedMoveCallback(): void {}
  attributeChangedCallback(): void {
    this.#queue();
  }

  reload(): void {
    this.#controller?.stop();
    if (this.#parts) clear(this.#parts.image);
    this.#queue();
  }

  /**
   * Sets again what a script has set before the element was defined, as a module that loads with `async` may
   * come last. Until then these are properties of the object, which hide the setters.
   */
  #takeOver(): void {
    for (const name of PROPERTIES) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      Object.assign(this, { [name]: value });
    }
  }

  /** Reads all attributes once after a number of changes. */
  #queue(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    queueMicrotask(() => {
      this.#isQueued = false;
      this.#apply();
    });
  }

  #apply(): void {
    if (!this.isConnected) {
      this.#controller?.stop();
      return;
    }
    this.#parts ??= build(this.shadowRoot ?? this.attachShadow({ mode: 'open' }));
    const options = this.#options();
    if (this.#controller) this.#controller.update(options);
    else this.#controller = robustImage(this.#parts.image, options);
    this.#show(this.state);
  }

  #options(): RobustImageOptions {
    const text = (name: string) => this.getAttribute(name) ?? undefined;
    const number = (name: string) => {
      const value = Number.parseFloat(this.getAttribute(name) ?? '');
      return Number.isFinite(value) ? value : undefined;
    };
    return {
      src: text('src')?.trim(),
      srcset: text('srcset'),
      sizes: text('sizes'),
      widths: text('widths')?.split(',').map(Number).filter(Boolean),
      format: text('format'),
      alt: text('alt'),
      width: number('width'),
      height: number('height'),
      thumbhash: text('thumbhash'),
      loading: text('loading') === 'eager' ? 'eager' : 'lazy',
      crossOrigin: crossOriginOf(text('crossorigin')),
      attempts: number('attempts'),
      delay: number('delay'),
      maxDelay: number('max-delay'),
      probe: text('probe') !== 'off',
      gap: text('gap') === 'collapse' ? 'collapse' : 'keep',
      frame: this.#parts?.frame,
      renew: this.#listeners.renew,
      log: (entry) => this.#listeners.log?.(entry),
      onState: (state) => this.#show(state),
      onStored: (detail) => this.#tell('stored', detail, this.#listeners.onStored),
      onPermanentFailure: (detail) =>
        this.#tell('permanentfailure', detail, this.#listeners.onPermanentFailure),
    };
  }

  #tell<Detail>(type: string, detail: Detail, listener: ((detail: Detail) => void) | null | undefined): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
    listener?.(detail);
  }

  #show(state: RobustImageState): void {
    if (!this.#parts) return;
    const { mark, sheet } = this.#parts;
    const store = this.getAttribute('store') ?? '';
    mark.hidden = !(state === 'stored' && this.hasAttribute('mark') && store !== '');
    mark.textContent = store;
    const [width, height] = [this.getAttribute('width'), this.getAttribute('height')].map(Number);
    const size = width && height ? `width:${width}px;aspect-ratio:${width}/${height}` : SIZELESS;
    const isGone = state === 'failed' && this.getAttribute('gap') === 'collapse';
    const rule = `:host{${isGone ? 'display:none!important' : size}}${width && height ? '' : IN_FLOW}`;
    if (rule !== this.#size) sheet.replaceSync(rule);
    this.#size = rule;
  }
}

/** Without width and height the picture gives the size. */
const SIZELESS = 'min-width:1px;min-height:1px';
const IN_FLOW = '[part=frame],img{position:static}';

function crossOriginOf(value: string | undefined): 'anonymous' | 'use-credentials' | null {
  if (value === undefined) return null;
  return value === 'use-credentials' ? value : 'anonymous';
}
