/** The samples of a soak → one SVG of small multiples, with a background of its own: it is read in light and in dark. */
import { axisTo, markText } from './axis.ts';
import { type Point, WARM_UP } from './flatness.ts';
import { pointsOf } from './report.ts';
import type { Measured, Sample } from './sample.ts';

export interface FigureInput {
  title: string;
  samples: Sample[];
  /** Of the whole soak. */
  lasts_s: number;
  /** When definitions were changed. */
  changes_s: number[];
}

interface Panel {
  title: string;
  unit: string;
  lines: { key: Measured; label: string }[];
}

const PANELS: Panel[] = [
  { title: 'Throughput', unit: 'events/s', lines: [{ key: 'events_per_second', label: 'recorded' }] },
  {
    title: 'End to end',
    unit: 'ms',
    lines: [
      { key: 'latency_p50_ms', label: 'p50' },
      { key: 'latency_p95_ms', label: 'p95' },
    ],
  },
  {
    title: 'Memory',
    unit: 'MiB',
    lines: [
      { key: 'rss_mib', label: 'resident' },
      { key: 'heap_used_mib', label: 'heap used' },
      { key: 'external_mib', label: 'external' },
    ],
  },
  {
    title: 'Held',
    unit: 'count',
    lines: [
      { key: 'fds', label: 'descriptors' },
      { key: 'threads', label: 'threads' },
      { key: 'connections', label: 'connections' },
    ],
  },
  {
    title: 'Waiting',
    unit: 'count',
    lines: [
      { key: 'lag', label: 'messages in the stream' },
      { key: 'open_dispatches', label: 'open dispatches' },
    ],
  },
  { title: 'Largest history closed', unit: 'KiB', lines: [{ key: 'history_kib', label: 'in each window' }] },
  {
    title: 'The machine itself',
    unit: 'ms for the same work',
    lines: [{ key: 'fixed_work_ms', label: 'less is faster' }],
  },
  {
    title: 'The machine itself',
    unit: '% of its time taken by its host',
    lines: [{ key: 'stolen_percent', label: 'stolen' }],
  },
];

const COLORS = ['#0072b2', '#d55e00', '#009e73'];
const INK = '#24292f';
const FAINT = '#6e7781';
const GRID = '#d8dee4';

const [COLUMNS, WIDTH, HEIGHT] = [2, 480, 210];
const TOP = 64;
const BOTTOM = 34;
/** Of the plot within its panel. */
const [LEFT, RIGHT, ABOVE, BELOW] = [58, 18, 34, 26];
const PLOT = { width: WIDTH - LEFT - RIGHT, height: HEIGHT - ABOVE - BELOW };
/** A generous width of a letter: which font it is read in is not known. */
const GLYPH = 6.1;

export function drawFigure(input: FigureInput): string {
  const width = COLUMNS * WIDTH;
  const height = TOP + Math.ceil(PANELS.length / COLUMNS) * HEIGHT + BOTTOM;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="Helvetica, Arial, sans-serif" font-size="11" role="img">`,
    `<title>${escapeXml(input.title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(LEFT, 28, input.title, { size: 16, weight: 'bold' }),
    text(
      LEFT,
      47,
      'Shaded: warm-up, not judged. Marks below an axis: definitions were changed. Across: minutes.',
      { color: FAINT },
    ),
    ...PANELS.map((panel, place) => {
      const [x, y] = [(place % COLUMNS) * WIDTH, TOP + Math.floor(place / COLUMNS) * HEIGHT];
      return `<g transform="translate(${x} ${y})">\n${drawPanel(panel, input)}\n</g>`;
    }),
    '</svg>\n',
  ].join('\n');
}

function drawPanel({ title, unit, lines }: Panel, { samples, lasts_s, changes_s }: FigureInput): string {
  const drawn = lines.map((line) => ({ ...line, points: pointsOf(samples, line.key) }));
  const vertical = axisTo(Math.max(0, ...drawn.flatMap(({ points }) => points.map(({ value }) => value))));
  const minutes = lasts_s / 60;
  const x = (at_s: number) => LEFT + (Math.min(at_s, lasts_s) / lasts_s) * PLOT.width;
  const y = (value: number) => ABOVE + PLOT.height * (1 - value / vertical.most);
  const base = ABOVE + PLOT.height;
  const place = ({ at_s, value }: Point) => `${x(at_s).toFixed(1)},${y(value).toFixed(1)}`;
  return [
    text(LEFT, 20, `${title}, ${unit}`, { size: 12, weight: 'bold' }),
    ...legend(lines.map(({ label }) => label)),
    `<rect x="${LEFT}" y="${ABOVE}" width="${(PLOT.width * WARM_UP).toFixed(1)}" height="${PLOT.height}" fill="#f3f5f7"/>`,
    ...vertical.marks.flatMap((mark) => [
      segment(LEFT, y(mark), LEFT + PLOT.width, y(mark), mark === 0 ? FAINT : GRID),
      text(LEFT - 7, y(mark) + 4, markText(mark), { anchor: 'end', color: FAINT }),
    ]),
    ...axisTo(minutes, 6)
      .marks.filter((mark) => mark <= minutes)
      .map((mark) => text(x(mark * 60), base + 19, markText(mark), { anchor: 'middle', color: FAINT })),
    ...changes_s.map((at_s) => segment(x(at_s), base + 1, x(at_s), base + 5, FAINT)),
    ...drawn.map(
      ({ points }, n) =>
        `<polyline fill="none" stroke="${colorOf(n)}" stroke-width="1.5" stroke-linejoin="round" points="${points.map(place).join(' ')}"/>`,
    ),
  ].join('\n');
}

/** From the right: names stand beside their colour, above the plot. */
function legend(labels: string[]): string[] {
  if (labels.length === 1) return [text(WIDTH - RIGHT, 20, labels[0] ?? '', { anchor: 'end', color: FAINT })];
  let right = WIDTH - RIGHT;
  return labels
    .map((label, n) => ({ label, color: colorOf(n) }))
    .toReversed()
    .flatMap(({ label, color }) => {
      const end = right;
      const start = end - label.length * GLYPH;
      right = start - 30;
      return [segment(start - 18, 16, start - 6, 16, color, 2.5), text(start, 20, label, { color: INK })];
    });
}

const colorOf = (n: number): string => COLORS[n % COLORS.length] ?? INK;

function segment(x1: number, y1: number, x2: number, y2: number, color: string, width = 1): string {
  const [a, b, c, d] = [x1, y1, x2, y2].map((value) => value.toFixed(1));
  return `<line x1="${a}" y1="${b}" x2="${c}" y2="${d}" stroke="${color}" stroke-width="${width}"/>`;
}

interface TextStyle {
  size?: number;
  weight?: 'bold';
  anchor?: 'middle' | 'end';
  color?: string;
}

function text(
  x: number,
  y: number,
  content: string,
  { size, weight, anchor, color = INK }: TextStyle = {},
): string {
  const style = [
    ...(size ? [` font-size="${size}"`] : []),
    ...(weight ? [` font-weight="${weight}"`] : []),
    ...(anchor ? [` text-anchor="${anchor}"`] : []),
  ].join('');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" fill="${color}"${style}>${escapeXml(content)}</text>`;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

export const escapeXml = (content: string): string =>
  content.replaceAll(/[&<>"]/g, (one) => ENTITIES[one] ?? one);
