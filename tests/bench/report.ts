export interface Row {
  what: string;
  value: number;
  unit: string;
}

export function quantile(values: number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}

export const median = (values: number[]): number => quantile(values, 0.5);

export function table(rows: Row[]): string {
  const width = Math.max(...rows.map(({ what }) => what.length));
  return rows
    .map(({ what, value, unit }) => `${what.padEnd(width)}  ${value.toFixed(1).padStart(9)} ${unit}`)
    .join('\n');
}
