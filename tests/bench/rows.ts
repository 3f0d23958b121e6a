/** Everything that is measured, in this order. */
import { measureApiLatency } from './api-latency.ts';
import { measureBacktest } from './backtest.ts';
import type { Measurement } from './bench.ts';
import { measureColdStart } from './cold-start.ts';
import { measureDefinitionsOnOneType } from './definitions-on-one-type.ts';
import { measureDiscoveryInRounds } from './discovery.ts';
import { measurePipe } from './engine-free-pipe.ts';
import { measureIdleLatency } from './idle-latency.ts';
import { measureLiveMode } from './live-mode.ts';
import { measureNoOpWorkflow } from './no-op-workflow.ts';
import type { BenchOptions } from './options.ts';
import { measurePeers } from './peers.ts';
import { measureAtOnce, measureBacklog } from './saturation.ts';
import { measureWorkflowPerEvent } from './workflow-per-event.ts';

export const MEASUREMENTS: Measurement[] = [
  { letters: ['a'], title: 'no-op workflow', measure: measureNoOpWorkflow },
  { letters: ['b'], title: 'one workflow an event', measure: measureWorkflowPerEvent },
  { letters: ['c'], title: 'engine-free pipe', measure: measurePipe },
  { letters: ['d'], title: 'activity-core, published and drained at once', measure: measureAtOnce },
  { letters: ['d', 'f'], title: 'activity-core, draining a backlog', measure: measureBacklog },
  { letters: ['e'], title: 'idle latency', measure: measureIdleLatency },
  { letters: ['g'], title: 'definitions on one type', measure: measureDefinitionsOnOneType },
  { letters: ['h'], title: 'API', measure: measureApiLatency },
  { letters: ['i'], title: 'cold start', measure: measureColdStart },
  { letters: ['j'], title: 'discovery of schedules', measure: measureDiscoveryInRounds },
  { letters: ['k'], title: 'live mode', measure: measureLiveMode },
  { letters: ['l'], title: 'backtest', measure: measureBacktest },
];

/** Only where it is asked for: it installs packages of others. */
export const PEERS: Measurement = { letters: [], title: 'Restate and DBOS', measure: measurePeers };

export const LETTERS = [...new Set(MEASUREMENTS.flatMap(({ letters }) => letters))].toSorted();

export function chosen({ only, peers }: Pick<BenchOptions, 'only' | 'peers'>): Measurement[] {
  const rows = MEASUREMENTS.filter(({ letters }) => !only || letters.some((letter) => only.has(letter)));
  return peers ? [...rows, PEERS] : rows;
}
