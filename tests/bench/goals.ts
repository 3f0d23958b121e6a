/** Ratios between rows of one run, beside what they should be: figures of one machine mean little, ratios can be compared. */
import { figure, type Row } from './report.ts';

export interface Goal {
  what: string;
  /** Null where a row that it needs was not measured. */
  value: number | null;
  unit: string;
  /** `≥ 0.4`; null where none is set. */
  wanted: string | null;
  met: boolean | null;
}

interface Ratio {
  what: string;
  unit: string;
  of: string;
  /** Without it, the row's own value. */
  to?: string;
  at?: { least?: number; most?: number };
}

const RATIOS: Ratio[] = [
  {
    what: '(d) to (c), draining a backlog',
    unit: '×',
    of: 'product.drain.8',
    to: 'pipe.drain',
    at: { least: 0.4 },
  },
  {
    what: '(d) to (c), published and drained at once',
    unit: '×',
    of: 'product.at_once.8',
    to: 'pipe.at_once',
  },
  {
    what: '(d) to (b), at once',
    unit: '×',
    of: 'product.at_once.8',
    to: 'workflow_per_event',
    at: { least: 150 },
  },
  {
    what: '(d) to Restate, at once',
    unit: '×',
    of: 'product.at_once.8',
    to: 'peers.restate',
    at: { least: 10 },
  },
  { what: '(d) to DBOS, at once', unit: '×', of: 'product.at_once.8', to: 'peers.dbos', at: { least: 15 } },
  {
    what: '(e) p50 to the no-op workflow, 1 definition',
    unit: '×',
    of: 'idle.1',
    to: 'idle.no_op',
    at: { most: 1.5 },
  },
  {
    what: '(e) p50 to the no-op workflow, 50 definitions',
    unit: '×',
    of: 'idle.50',
    to: 'idle.no_op',
    at: { most: 3 },
  },
  { what: '(f) most memory during the backlog', unit: 'MB', of: 'memory.peak', at: { most: 350 } },
  {
    what: '(g) a further definition, of the first, 10 on the type',
    unit: '%',
    of: 'definitions.10.further',
    at: { most: 40 },
  },
  {
    what: '(g) a further definition, of the first, 50 on the type',
    unit: '%',
    of: 'definitions.50.further',
    at: { most: 40 },
  },
  { what: '(h) p95 of the slowest page', unit: 'ms', of: 'api.slowest', at: { most: 30 } },
  { what: '(i) cold start to ready', unit: 's', of: 'cold_start', at: { most: 10 } },
  { what: '(l) backtest of the events', unit: 's', of: 'backtest.changed', at: { most: 60 } },
  { what: '(k) live mode, to the ceiling of the sink', unit: '×', of: 'live.specs', to: 'live.ceiling' },
];

/** Those of which something was measured. */
export function goalsOf(rows: Row[]): Goal[] {
  const values = new Map(rows.map(({ id, value }) => [id, value]));
  return RATIOS.filter(({ of }) => values.has(of)).map(({ what, unit, of, to, at }) => {
    const value = ratio(values.get(of), to === undefined ? 1 : values.get(to));
    return {
      what,
      value,
      unit,
      wanted: at ? wanted(at) : null,
      met: at && value !== null ? isMet(value, at) : null,
    };
  });
}

export function goalTable(goals: Goal[]): string {
  const width = Math.max(...goals.map(({ what }) => what.length));
  return goals
    .map(({ what, value, unit, wanted, met }) => {
      const goal =
        wanted === null ? '' : `  wanted ${wanted}${met === null ? '' : met ? ': met' : ': NOT MET'}`;
      return `${what.padEnd(width)}  ${figure(value).padStart(9)} ${unit}${goal}`;
    })
    .join('\n');
}

function ratio(value: number | null | undefined, other: number | null | undefined): number | null {
  return typeof value === 'number' && typeof other === 'number' ? value / other : null;
}

const wanted = ({ least, most }: { least?: number; most?: number }): string =>
  least === undefined ? `≤ ${most}` : `≥ ${least}`;

const isMet = (value: number, { least, most }: { least?: number; most?: number }): boolean =>
  value >= (least ?? Number.NEGATIVE_INFINITY) && value <= (most ?? Number.POSITIVE_INFINITY);
