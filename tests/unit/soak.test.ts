/** What a soak decides and draws, from samples that are made up; a short one of the real thing is an integration test. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { axisTo, markText } from '../soak/axis.ts';
import { drawFigure } from '../soak/figure.ts';
import { judgeFlatness, type Point, theilSen } from '../soak/flatness.ts';
import { stolenPercent, timeFixedWork } from '../soak/machine.ts';
import { isMalformedBeside, repeatedBeside } from '../soak/messages.ts';
import { parseOptions, UsageError } from '../soak/options.ts';
import { createPacer } from '../soak/pacing.ts';
import { seriesOf, seriesTable } from '../soak/report.ts';
import { type Sample, SERIES } from '../soak/sample.ts';
import { metricOf } from '../soak/sampler.ts';

const LASTS_S = 1_800;
const BOUNDS = { percent: 5, floor: 16 };

/** One each five seconds. */
const pointsBy = (value: (at_s: number, place: number) => number): Point[] =>
  Array.from({ length: LASTS_S / 5 }, (_, place) => ({ at_s: place * 5, value: value(place * 5, place) }));

/** Repeats itself, and looks like noise: between -1 and 1. */
const noise = (place: number): number => Math.sin(place * 12.9898) * Math.cos(place * 78.233);

const isFlat = (points: Point[]) => judgeFlatness(points, LASTS_S, BOUNDS)?.isFlat;

describe('a series', () => {
  test('that is only noisy is flat', () => {
    expect(isFlat(pointsBy((_, place) => 200 + 40 * noise(place)))).toBe(true);
  });

  test('that leaks slowly under its noise is not flat', () => {
    expect(isFlat(pointsBy((at_s, place) => 200 + 20 * noise(place) + at_s / 60))).toBe(false);
  });

  test('that climbs a step after the warm-up is not flat', () => {
    expect(isFlat(pointsBy((at_s) => (at_s < 1_200 ? 200 : 240)))).toBe(false);
  });

  test('that climbs while it warms up, and stays there, is flat', () => {
    expect(isFlat(pointsBy((at_s) => 200 + Math.min(at_s, 350)))).toBe(true);
  });

  test('that falls is flat', () => {
    expect(isFlat(pointsBy((at_s) => 900 - at_s / 3))).toBe(true);
  });

  test('with a few spikes is flat, and the highest is told', () => {
    const judged = judgeFlatness(
      pointsBy((_, place) => (place % 60 === 59 ? 2_000 : 200)),
      LASTS_S,
      BOUNDS,
    );
    expect(judged).toMatchObject({ isFlat: true, most: 2_000, slope_per_hour: 0 });
  });

  test('that grows by less than five of a hundred, or by less than its floor, is flat', () => {
    expect(isFlat(pointsBy((at_s) => 10_000 + at_s / 4))).toBe(true);
    expect(isFlat(pointsBy((at_s) => 20 + at_s / 200))).toBe(true);
  });

  test('of which nothing was seen in a part that counts is not judged', () => {
    expect(judgeFlatness([{ at_s: 10, value: 1 }], LASTS_S, BOUNDS)).toBeNull();
  });

  test('that waits is flat while it empties again and again, and grows where it does not', () => {
    const bounds = { ...BOUNDS, lows: true };
    const bumps = (at_s: number) => (at_s % 300 < 200 ? at_s : 20);
    expect(judgeFlatness(pointsBy(bumps), LASTS_S, bounds)).toMatchObject({
      first: 20,
      last: 20,
      isFlat: true,
    });
    const rising = pointsBy((at_s) => bumps(at_s) + at_s / 10);
    expect(judgeFlatness(rising, LASTS_S, bounds)?.isFlat).toBe(false);
  });

  test('has the slope of most of its pairs', () => {
    expect(theilSen(pointsBy((at_s, place) => (place % 10 === 0 ? 0 : 3 * at_s)))).toBeCloseTo(3, 5);
  });
});

const samplesBy = (fields: (at_s: number) => Partial<Sample>): Sample[] =>
  pointsBy(() => 0).map(({ at_s }) => {
    const all = Object.fromEntries(SERIES.map(({ key }) => [key, 10])) as Omit<Sample, 'at_s'>;
    return { ...all, at_s, ...fields(at_s) };
  });

describe('the report', () => {
  test('says which series grows, and judges none that is only shown or was not measured', () => {
    const series = seriesOf(
      samplesBy((at_s) => ({ rss_mib: 200 + at_s / 10, database_mib: at_s, threads: null })),
      LASTS_S,
    );
    const flats = Object.fromEntries(series.map(({ key, flat }) => [key, flat]));
    expect(flats).toMatchObject({ rss_mib: false, heap_used_mib: true, database_mib: null, threads: null });
    expect(seriesTable(series)).toMatch(/^threads .* not measured$/m);
    expect(seriesTable(series)).toMatch(/^resident memory, MiB +254 .* 360 +NOT FLAT$/m);
  });
});

/** Names of elements with their attributes, in order. @throws Error where the text is not well-formed */
function parseXml(xml: string): { name: string; attributes: Record<string, string> }[] {
  const open: string[] = [];
  const elements: { name: string; attributes: Record<string, string> }[] = [];
  let rest = xml.trim();
  while (rest !== '') {
    const [token, slash, name, attributes, selfClosing, content] =
      /^<(\/?)([a-z]+)((?: [a-zA-Z0-9-]+="(?:[^"<&]|&(?:amp|lt|gt|quot);)*")*)(\/?)>|^((?:[^<&]|&(?:amp|lt|gt|quot);)+)/.exec(
        rest,
      ) ?? [];
    if (token === undefined) throw new Error(`not well-formed: ${rest.slice(0, 80)}`);
    rest = rest.slice(token.length);
    if (content !== undefined) {
      if (open.length === 0 && content.trim() !== '') throw new Error(`outside of the root: ${content}`);
    } else if (slash) {
      if (open.pop() !== name) throw new Error(`</${name}> closes another`);
    } else {
      const pairs = [...(attributes ?? '').matchAll(/([a-zA-Z0-9-]+)="([^"]*)"/g)];
      if (new Set(pairs.map(([, key]) => key)).size !== pairs.length) throw new Error(`twice: ${token}`);
      elements.push({
        name: name ?? '',
        attributes: Object.fromEntries(pairs.map(([, key, value]) => [key, value])),
      });
      if (!selfClosing) open.push(name ?? '');
    }
  }
  if (open.length > 0) throw new Error(`never closed: ${open.join(', ')}`);
  return elements;
}

describe('the figure', () => {
  const draw = (samples: Sample[], title = 'A soak') =>
    drawFigure({ title, samples, lasts_s: LASTS_S, changes_s: [20, 40] });

  test('is well-formed, on a white ground, and has a line for each series', () => {
    const elements = parseXml(draw(samplesBy(() => ({}))));
    const [svg, , ground] = elements;
    expect(svg?.name).toBe('svg');
    const { width, height } = svg?.attributes ?? {};
    expect(ground).toEqual({ name: 'rect', attributes: { width, height, fill: '#ffffff' } });
    const lines = elements.filter(({ name }) => name === 'polyline');
    expect(lines).toHaveLength(14);
    for (const { attributes } of lines) expect(attributes.points?.split(' ')).toHaveLength(LASTS_S / 5);
  });

  test('stays inside its panels whatever the values', () => {
    const samples = samplesBy((at_s) => ({
      lag: at_s * 1e6,
      rss_mib: 0,
      external_mib: 0,
      heap_used_mib: 0,
      history_kib: null,
    }));
    const points = parseXml(draw(samples)).flatMap(({ attributes }) => attributes.points?.split(' ') ?? []);
    const numbers = points.filter((one) => one !== '').map((one) => one.split(',').map(Number));
    expect(numbers.length).toBeGreaterThan(0);
    for (const [x, y] of numbers) {
      expect(x).toBeGreaterThanOrEqual(58);
      expect(x).toBeLessThanOrEqual(462);
      expect(y).toBeGreaterThanOrEqual(34);
      expect(y).toBeLessThanOrEqual(184);
    }
  });

  test('has its texts escaped, and its minutes across', () => {
    const svg = draw(
      samplesBy(() => ({})),
      'a < b & "c"',
    );
    expect(() => parseXml(svg)).not.toThrow();
    expect(svg).toContain('<title>a &lt; b &amp; &quot;c&quot;</title>');
    expect(svg).toMatch(/text-anchor="middle">30<\/text>/);
  });

  test('of nothing is a figure still', () => {
    expect(() => parseXml(draw([]))).not.toThrow();
  });

  test('has axes that end at round numbers above what they show', () => {
    expect(axisTo(2_480)).toEqual({ most: 2_500, marks: [0, 500, 1_000, 1_500, 2_000, 2_500] });
    expect(axisTo(0.31).marks).toEqual([0, 0.1, 0.2, 0.3, 0.4]);
    expect(axisTo(30, 6).marks).toEqual([0, 5, 10, 15, 20, 25, 30]);
    for (const largest of [0, 0.7, 3, 19, 20, 21, 999, 123_456])
      expect(axisTo(largest).most).toBeGreaterThanOrEqual(largest);
    expect([markText(250), markText(2_500), markText(1_200_000)]).toEqual(['250', '2 500', '1 200 000']);
  });
});

test('the time that a host took is told as part of the processors’ time', () => {
  expect(stolenPercent({ all: 1_000, stolen: 10 }, { all: 2_000, stolen: 260 })).toBe(25);
  expect(stolenPercent(null, { all: 2_000, stolen: 260 })).toBeNull();
  expect(timeFixedWork()).toBeGreaterThan(0);
});

describe('the pace', () => {
  test('is even by the clock', () => {
    const pacer = createPacer(100, 1_000, 100);
    expect([1_000, 1_010, 1_015, 1_030, 1_500].map((now) => pacer.take(now))).toEqual([0, 1, 0, 2, 47]);
    expect(pacer.lost()).toBe(0);
  });

  test('leaves due what is not taken', () => {
    const pacer = createPacer(100, 0, 500);
    expect([pacer.take(2_000, 120), pacer.take(2_010, 120), pacer.lost()]).toEqual([120, 81, 0]);
  });

  test('catches up with no more than its bound, and tells what it gave up', () => {
    const pacer = createPacer(100, 0, 50);
    expect(pacer.take(2_000)).toBe(50);
    expect(pacer.lost()).toBe(150);
    expect(pacer.take(2_010)).toBe(1);
  });
});

test('an event is sent again beside a later one, and each at most once', () => {
  const again = Array.from({ length: 400 }, (_, n) => repeatedBeside(n)).filter((n) => n !== null);
  expect(again.slice(0, 3)).toEqual([19, 39, 59]);
  expect(new Set(again).size).toBe(again.length);
  expect([0, 1, 99, 100].map(isMalformedBeside)).toEqual([true, false, false, true]);
});

test('a metric is read with its labels', () => {
  const text =
    '# HELP a_total b\na_total{fate="accepted"} 12\na_total{fate="unmatched"} 3\na_total_created 9\n';
  expect(metricOf(text, 'a_total{fate="accepted"}')).toBe(12);
  expect(metricOf(text, 'a_total')).toBeNull();
});

describe('the options', () => {
  test('are all documented, and no other', () => {
    const [, soak = ''] = readFileSync('docs/performance.md', 'utf8').split('\n## Soak\n');
    const documented = [...soak.matchAll(/^\| `--([a-z-]+)/gm)].map(([, name]) => name);
    expect(documented).toEqual(Object.keys(parseOptions([])));
  });

  test('are half an hour at half of saturation unless they are given', () => {
    expect(parseOptions([])).toEqual({ minutes: 30, rate: null, json: null, figure: null });
    expect(
      parseOptions(['--minutes', '0.5', '--rate', '200', '--json', 'a.json', '--figure', 'a.svg']),
    ).toEqual({
      minutes: 0.5,
      rate: 200,
      json: 'a.json',
      figure: 'a.svg',
    });
  });

  test.each([['--minutes', '0'], ['--rate', '-1'], ['--rate', 'fast'], ['--seed', '1'], ['more']])(
    'refuse %s %s',
    (...args) => {
      expect(() => parseOptions(args)).toThrow(UsageError);
    },
  );
});
