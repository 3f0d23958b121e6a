/** Weighted shortest job first (contract 8): what is worth most for its size comes first. Nothing that is missing is guessed. */

export const WSJF_INPUTS = ['business_value', 'time_criticality', 'risk_reduction', 'job_size'] as const;
export type WsjfInput = (typeof WSJF_INPUTS)[number];

/** Inputs are numbers from 1 to 20; anything else counts as missing. `updated_at`: RFC 3339. */
export type RankableTask = { id: string; updated_at?: unknown } & { [Input in WsjfInput]?: unknown };

export interface Ranking<Task> {
  /** By `wsjf`, the highest first; ties by the oldest `updated_at`, one that is no time last, then by id (code points). */
  ranked: (Task & { wsjf: number })[];
  /** By id. `missing` in the order of WSJF_INPUTS. */
  unranked: { id: string; missing: WsjfInput[] }[];
}

const [LEAST, MOST] = [1, 20];

export function rankTasks<Task extends RankableTask>(tasks: readonly Task[]): Ranking<Task> {
  const entries: { task: Task & { wsjf: number }; updated: Instant }[] = [];
  const unranked: Ranking<Task>['unranked'] = [];
  for (const task of tasks) {
    const inputs = inputsOf(task);
    const missing = WSJF_INPUTS.filter((name) => inputs[name] === null);
    const wsjf = wsjfOf(inputs);
    if (wsjf === null) unranked.push({ id: task.id, missing });
    else entries.push({ task: { ...task, wsjf }, updated: instantOf(task.updated_at) });
  }
  entries.sort(
    (a, b) =>
      b.task.wsjf - a.task.wsjf ||
      compareInstants(a.updated, b.updated) ||
      compareCodePoints(a.task.id, b.task.id),
  );
  unranked.sort((a, b) => compareCodePoints(a.id, b.id));
  return { ranked: entries.map(({ task }) => task), unranked };
}

type Inputs = { [Input in WsjfInput]: number | null };

function inputsOf(task: RankableTask): Inputs {
  const read = (name: WsjfInput): number | null => {
    const value = task[name];
    return typeof value === 'number' && value >= LEAST && value <= MOST ? value : null;
  };
  return {
    business_value: read('business_value'),
    time_criticality: read('time_criticality'),
    risk_reduction: read('risk_reduction'),
    job_size: read('job_size'),
  };
}

function wsjfOf({ business_value, time_criticality, risk_reduction, job_size }: Inputs): number | null {
  if (business_value === null || time_criticality === null) return null;
  if (risk_reduction === null || job_size === null) return null;
  return (business_value + time_criticality + risk_reduction) / job_size;
}

/** `second`: epoch milliseconds of the whole second. Date.parse forgets what is below a millisecond. */
interface Instant {
  second: number;
  fraction: number;
}

const NEVER: Instant = { second: Number.POSITIVE_INFINITY, fraction: 0 };

function instantOf(time: unknown): Instant {
  if (typeof time !== 'string') return NEVER;
  const [, whole, fraction = '', zone] =
    /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(\.\d{1,12})?(Z|[+-]\d\d:\d\d)$/.exec(time.toUpperCase()) ?? [];
  const second = Date.parse(`${whole?.replace(' ', 'T')}${zone}`);
  return Number.isNaN(second) ? NEVER : { second, fraction: Number(`0${fraction}`) };
}

function compareInstants(a: Instant, b: Instant): number {
  if (a.second !== b.second) return a.second < b.second ? -1 : 1;
  return a.fraction - b.fraction;
}

/** `<` compares UTF-16 units, where an emoji stands before U+FFxx. */
function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
