/** What `npm run bench` takes. A number that is none, or a row that there is not, ends it before anything starts. */
import { parseArgs } from 'node:util';

export interface BenchOptions {
  rounds: number;
  /** Published and drained at once. */
  events: number;
  /** Published while nobody consumes. */
  backlog: number;
  /** Of one event after another, for each round. */
  singles: number;
  /** One workflow each. */
  workflows: number;
  /** Pairs of event and definition, for each number of definitions. */
  pairs: number;
  liveEvents: number;
  /** On record, for one definition. */
  backtestEvents: number;
  apiRuns: number;
  /** For each page. */
  apiRequests: number;
  repos: number;
  peerEvents: number;
  pipeLanes: number;
  /** Letters; null for all. */
  only: ReadonlySet<string> | null;
  peers: boolean;
  json: boolean;
}

const SIZES = {
  rounds: ['3', '1'],
  events: ['20000', '300'],
  backlog: ['200000', '1500'],
  singles: ['100', '3'],
  workflows: ['300', '12'],
  pairs: ['40000', '500'],
  'live-events': ['4000', '60'],
  'backtest-events': ['100000', '1200'],
  'api-runs': ['1000000', '2000'],
  'api-requests': ['40', '2'],
  repos: ['5000', '50'],
  'peer-events': ['3000', '60'],
  'pipe-lanes': ['2', '2'],
} satisfies Record<string, [usual: string, quick: string]>;

type Size = keyof typeof SIZES;

export class UsageError extends Error {}

/** @throws UsageError */
export function parseOptions(args: string[], letters: readonly string[]): BenchOptions {
  const values = readArguments(args);
  const size = (name: Size): number => {
    const [usual, quick] = SIZES[name];
    const text = values[name] ?? (values.quick ? quick : usual);
    if (typeof text !== 'string' || !/^[1-9]\d{0,8}$/.test(text))
      throw new UsageError(`--${name} is \`${text}\`; expected a whole number, at least 1`);
    return Number(text);
  };
  return {
    rounds: size('rounds'),
    events: size('events'),
    backlog: size('backlog'),
    singles: size('singles'),
    workflows: size('workflows'),
    pairs: size('pairs'),
    liveEvents: size('live-events'),
    backtestEvents: size('backtest-events'),
    apiRuns: size('api-runs'),
    apiRequests: size('api-requests'),
    repos: size('repos'),
    peerEvents: size('peer-events'),
    pipeLanes: size('pipe-lanes'),
    only: typeof values.only === 'string' ? parseOnly(values.only, letters) : null,
    peers: values.peers === true,
    json: values.json === true,
  };
}

function readArguments(args: string[]): Record<string, string | boolean | undefined> {
  const sizes = Object.fromEntries(Object.keys(SIZES).map((name) => [name, { type: 'string' as const }]));
  const flag = { type: 'boolean' as const };
  try {
    const options = { ...sizes, only: { type: 'string' as const }, quick: flag, peers: flag, json: flag };
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function parseOnly(text: string, letters: readonly string[]): ReadonlySet<string> {
  const chosen = text.split(',').map((letter) => letter.trim());
  const unknown = chosen.filter((letter) => !letters.includes(letter));
  if (unknown.length > 0)
    throw new UsageError(`--only is \`${text}\`; expected some of ${letters.join(', ')}, with commas`);
  return new Set(chosen);
}
