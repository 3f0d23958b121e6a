/** What was measured, as a table and as JSON. */
import { median, quantile } from '../setup/statistics.ts';

export interface Row {
  /** Stays the same over versions, so that runs can be compared: `product.drain.8`. */
  id: string;
  what: string;
  /** Null where it could not be measured; the note says why. */
  value: number | null;
  unit: string;
  /** The value of each round, where `value` is their median. */
  rounds?: number[];
  /** Of all that was timed; `value` is one of them. */
  quantiles?: { p50: number; p95: number; p99: number };
  note?: string;
}

export function medianRow(id: string, what: string, unit: string, rounds: number[]): Row {
  return { id, what, value: median(rounds), unit, rounds };
}

export function latencyRow(
  id: string,
  what: string,
  milliseconds: number[],
  shown: 'p50' | 'p95' = 'p50',
): Row {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((q) => quantile(milliseconds, q)) as [number, number, number];
  const quantiles = { p50, p95, p99 };
  return { id, what: `${what}, ${shown}`, value: quantiles[shown], unit: 'ms', quantiles };
}

export function table(rows: Row[]): string {
  const width = Math.max(...rows.map(({ what }) => what.length));
  return rows
    .map(({ what, value, unit, quantiles, note }) => {
      const shown = `${what.padEnd(width)}  ${figure(value).padStart(9)} ${unit}`;
      const spread = quantiles ? `  p95 ${figure(quantiles.p95)}, p99 ${figure(quantiles.p99)}` : '';
      return `${shown}${spread}${note ? `  (${note})` : ''}`;
    })
    .join('\n');
}

export function figure(value: number | null): string {
  if (value === null || Number.isNaN(value)) return '–';
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}
