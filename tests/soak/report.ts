/** What the series came to, as a table. */
import { type Flatness, judgeFlatness, type Point } from './flatness.ts';
import { type Measured, type Sample, SERIES } from './sample.ts';

type Figures = Omit<Flatness, 'isFlat'>;

export interface SeriesResult {
  key: Measured;
  what: string;
  unit: string;
  /** Null where a part that counts has no sample. */
  figures: Figures | null;
  /** Null where it is only shown, or was not measured. */
  flat: boolean | null;
}

export function pointsOf(samples: Sample[], key: Measured): Point[] {
  return samples.flatMap(({ at_s, [key]: value }) => (value === null ? [] : [{ at_s, value }]));
}

/** Of what is shown and not judged. */
const UNBOUNDED = { percent: 0, floor: Number.POSITIVE_INFINITY };

/** `lasts_s`: of the whole soak. */
export function seriesOf(samples: Sample[], lasts_s: number): SeriesResult[] {
  return SERIES.map(({ key, what, unit, bounds }) => {
    const judged = judgeFlatness(pointsOf(samples, key), lasts_s, bounds ?? UNBOUNDED);
    if (!judged) return { key, what, unit, figures: null, flat: null };
    const { isFlat, ...figures } = judged;
    return { key, what, unit, figures, flat: bounds ? isFlat : null };
  });
}

const HEAD = ['series', 'first', 'last', 'most', 'slope/h', ''];

export function seriesTable(series: SeriesResult[]): string {
  const rows = series.map(({ what, unit, figures, flat }) => [
    unit === '' ? what : `${what}, ${unit}`,
    ...(figures
      ? [figures.first, figures.last, figures.most, figures.slope_per_hour].map(figure)
      : ['–', '–', '–', '–']),
    figures === null ? 'not measured' : flat === null ? '' : flat ? 'flat' : 'NOT FLAT',
  ]);
  const all = [HEAD, ...rows];
  const widths = HEAD.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 || column === 5
            ? cell.padEnd(widths[column] ?? 0)
            : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function figure(value: number): string {
  return value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0);
}
