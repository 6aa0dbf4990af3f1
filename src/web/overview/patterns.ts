/** Colours of a plot, as the canvas needs them. */
export interface PlotColors {
  readonly series: readonly string[];
  /** Colour of the series of all other tools. */
  readonly others: string;
  readonly surface: string;
  readonly text: string;
  readonly line: string;
}

/** Number of series with a colour and a pattern of their own. */
const SERIES = 7;

/** Reads colours of tokens.css for a canvas: the browser resolves `light-dark()` for a colour in use. */
export function readColors(parent: HTMLElement): PlotColors {
  const probe = document.createElement('span');
  parent.append(probe);
  const read = (name: string) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const colors = {
    series: Array.from({ length: SERIES }, (_, index) => read(`series-${index + 1}`)),
    others: read('series-others'),
    surface: read('surface'),
    text: read('text-soft'),
    line: read('line'),
  };
  probe.remove();
  return colors;
}

type Draw = (context: CanvasRenderingContext2D, size: number) => void;

function line(context: CanvasRenderingContext2D, from: [number, number], to: [number, number]): void {
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

const rising: Draw = (context, size) => {
  for (const x of [-size, 0, size]) line(context, [x, size], [x + size, 0]);
};
const falling: Draw = (context, size) => {
  for (const x of [-size, 0, size]) line(context, [x, 0], [x + size, size]);
};
const dots: Draw = (context, size) => {
  context.beginPath();
  context.arc(size / 2, size / 2, size / 4, 0, 2 * Math.PI);
  context.fill();
};
const horizontal: Draw = (context, size) => line(context, [0, size / 2], [size, size / 2]);
const vertical: Draw = (context, size) => line(context, [size / 2, 0], [size / 2, size]);
const crossed: Draw = (context, size) => {
  horizontal(context, size);
  vertical(context, size);
};

/** Patterns by the place of the series: those who cannot tell colours apart tell these. */
const PATTERNS: readonly (Draw | null)[] = [null, rising, dots, falling, horizontal, crossed, vertical];

/** Side of the repeated tile, in CSS pixels. */
const TILE = 8;

/** Returns the fill of a series: its colour, with lines or dots in the colour of the surface. */
export function fillOf(
  context: CanvasRenderingContext2D,
  colors: PlotColors,
  place: number,
  isOthers: boolean,
): CanvasPattern | string {
  const color = isOthers ? colors.others : (colors.series[place % SERIES] as string);
  const draw = isOthers ? null : PATTERNS[place % SERIES];
  if (!draw) return color;
  const size = Math.round(TILE * devicePixelRatio);
  const tile = document.createElement('canvas');
  tile.width = size;
  tile.height = size;
  const on = tile.getContext('2d');
  if (!on) return color;
  on.fillStyle = color;
  on.fillRect(0, 0, size, size);
  on.globalAlpha = 0.6;
  on.strokeStyle = colors.surface;
  on.fillStyle = colors.surface;
  on.lineWidth = size / 5;
  draw(on, size);
  return context.createPattern(tile, 'repeat') ?? color;
}
