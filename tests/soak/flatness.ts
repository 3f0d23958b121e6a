/** Does a series grow? Decided by medians and by a robust slope, so that neither noise nor one spike decides. */
import { median, quantile } from '../setup/statistics.ts';

export interface Point {
  at_s: number;
  value: number;
}

/** Growth is to stay below either: `percent` of the first, and `floor`. */
export interface Bounds {
  percent: number;
  floor: number;
  /** A queue comes and goes; it grows where it does not empty any more: its lows decide. */
  lows?: boolean;
}

export interface Flatness {
  /** Medians of the second fifth and of the last, or the lows. */
  first: number;
  last: number;
  /** Of all samples, the warm-up's too. */
  most: number;
  slope_per_hour: number;
  isFlat: boolean;
}

/** The part in which the service warms up: compiled code, pools, caches, heap. */
export const WARM_UP = 1 / 5;
/** More would make more pairs and tell no more. */
const MOST_POINTS = 400;
const HOUR_S = 3_600;
/** Below it lies this part of the samples. */
const LOW = 0.1;

/** Null where a fifth that counts has no sample. `lasts_s`: of the whole soak. */
export function judgeFlatness(points: Point[], lasts_s: number, bounds: Bounds): Flatness | null {
  const warm = points.filter(({ at_s }) => at_s >= lasts_s * WARM_UP);
  const second = warm.filter(({ at_s }) => at_s < lasts_s * 2 * WARM_UP);
  const final = warm.filter(({ at_s }) => at_s >= lasts_s * (1 - WARM_UP));
  if (second.length === 0 || final.length === 0) return null;
  const typical = bounds.lows ? lowOf : medianOf;
  const [first, last] = [typical(second), typical(final)];
  const slope = theilSen(warm);
  const growth = bounds.lows ? last - first : Math.max(last - first, slope * lasts_s);
  return {
    first,
    last,
    most: mostOf(points),
    slope_per_hour: slope * HOUR_S,
    isFlat: isSmall(growth, first, bounds),
  };
}

const isSmall = (growth: number, first: number, { percent, floor }: Bounds): boolean =>
  growth < floor || growth < (percent / 100) * first;

const mostOf = (points: Point[]): number => Math.max(...points.map(({ value }) => value));

const medianOf = (points: Point[]): number => median(points.map(({ value }) => value));

const lowOf = (points: Point[]): number =>
  quantile(
    points.map(({ value }) => value),
    LOW,
  );

/** The median of the slopes of all pairs, a second. */
export function theilSen(points: Point[]): number {
  const taken = thinned(points);
  const slopes = taken.flatMap((one, place) =>
    taken
      .slice(place + 1)
      .filter((other) => other.at_s !== one.at_s)
      .map((other) => (other.value - one.value) / (other.at_s - one.at_s)),
  );
  return slopes.length === 0 ? 0 : median(slopes);
}

function thinned(points: Point[]): Point[] {
  const step = Math.ceil(points.length / MOST_POINTS);
  return points.filter((_, place) => place % step === 0);
}
