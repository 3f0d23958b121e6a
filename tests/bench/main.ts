/**
 * `npm run bench`: throughput and idle latency of the event path, with Temporal's own ceiling measured beside it in the
 * same run; the discovery of schedules, beside bare reading of the same files. Figures of one machine mean little; the
 * ratios are what can be compared.
 * Options: --events N (20000), --rounds N (3), --singles N (40), --repos N (5000), --json
 */
import { mkdtemp } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { defaultCacheDir, startServers } from '../../src/dev/servers.ts';
import { discoveryRows, measureDiscovery } from './discovery.ts';
import { measureIdleLatency, measureSaturation } from './event-path.ts';
import { measureNoOpWorkflow } from './no-op-workflow.ts';
import { median, quantile, type Row, table } from './report.ts';
import { openSubject } from './subject.ts';

const { values: options } = parseArgs({
  options: {
    events: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '3' },
    singles: { type: 'string', default: '40' },
    repos: { type: 'string', default: '5000' },
    json: { type: 'boolean', default: false },
  },
});
const events = Number(options.events);
const rounds = Number(options.rounds);
const singles = Number(options.singles);
const tell = (message: string) => console.error(message);

tell('Discovering schedules…');
const discovery = discoveryRows(await measureDiscovery(Number(options.repos)));

tell('Starting servers and the service…');
await using servers = await startServers({
  stateDir: await mkdtemp(join(tmpdir(), 'activity-core-bench-')),
  cacheDir: process.env.ACTIVITY_CORE_CACHE ?? defaultCacheDir(),
  path: process.env.PATH ?? '',
  ports: { temporal: 0, temporal_ui: 0, nats: 0, postgres: 0 },
  ephemeral: true,
  log: (message) => tell(message),
});
await using subject = await openSubject(servers);

tell('Warming up…');
await measureSaturation(subject, 2_000);
await measureIdleLatency(subject, 5);

const noOpPerSecond: number[] = [];
const noOpLatency: number[] = [];
const perSecond: number[] = [];
const latency: number[] = [];
for (let round = 1; round <= rounds; round += 1) {
  tell(`Round ${round} of ${rounds}…`);
  const noOp = await measureNoOpWorkflow(servers, singles);
  noOpPerSecond.push(noOp.perSecond);
  noOpLatency.push(...noOp.latencies);
  latency.push(...(await measureIdleLatency(subject, singles)));
  perSecond.push(await measureSaturation(subject, events));
}

const rows: Row[] = [
  {
    what: 'no-op workflows, started and awaited, 32 at a time',
    value: median(noOpPerSecond),
    unit: 'workflows/s',
  },
  {
    what: `events to committed run and spec, ${events} published at once`,
    value: median(perSecond),
    unit: 'events/s',
  },
  { what: '  ratio to the no-op workflow', value: median(perSecond) / median(noOpPerSecond), unit: '×' },
  { what: 'no-op workflow, idle, p50', value: quantile(noOpLatency, 0.5), unit: 'ms' },
  { what: 'no-op workflow, idle, p95', value: quantile(noOpLatency, 0.95), unit: 'ms' },
  { what: 'one event to its committed run, idle, p50', value: quantile(latency, 0.5), unit: 'ms' },
  { what: 'one event to its committed run, idle, p95', value: quantile(latency, 0.95), unit: 'ms' },
  { what: '  ratio of the p50s', value: quantile(latency, 0.5) / quantile(noOpLatency, 0.5), unit: '×' },
  ...discovery,
];
const machine = `${cpus().length} cores, Node ${process.versions.node}, ${rounds} rounds`;
console.log(options.json ? JSON.stringify({ machine, rows }, null, 2) : `\n${table(rows)}\n${machine}`);
