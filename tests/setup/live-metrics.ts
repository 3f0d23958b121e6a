/** Prometheus text, as `/metrics` has it. */

export interface LiveMetric {
  type: string;
  labels: Set<string>;
}

/** By the name as a query has it: a histogram's samples are `_bucket`, `_sum` and `_count`. */
export function readSamples(text: string): Map<string, LiveMetric> {
  const types = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
  );
  const metrics = new Map<string, LiveMetric>();
  for (const [name, type] of types) {
    const names = type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name];
    for (const one of names) metrics.set(one, { type, labels: new Set() });
  }
  for (const [, name = '', labels = ''] of text.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/gm)) {
    const metric = metrics.get(name);
    for (const [, label = ''] of labels.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)) metric?.labels.add(label);
  }
  return metrics;
}

/** By the name as the registry has it → its type. */
export function readTypes(text: string): Map<string, string> {
  return new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
  );
}
