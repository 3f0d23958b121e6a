/** Looks at the service from outside: `/proc`, its metrics, PostgreSQL, JetStream and Temporal. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { jetstreamManager } from '@nats-io/jetstream';
import { NATS_ANSWER_MS } from '../setup/event-path.ts';
import { readMemory } from '../setup/memory.ts';
import { abortablePause } from './abortable-pause.ts';
import type { Latencies } from './latency.ts';
import { readProcessorTime, stolenPercent, timeFixedWork } from './machine.ts';
import type { Sample } from './sample.ts';
import type { SoakSubject } from './subject.ts';

export interface SamplerOptions {
  everyMs: number;
  latencies: Latencies;
  signal: AbortSignal;
  onSample(sample: Sample): void;
}

type Subject = Pick<SoakSubject, 'nats' | 'pool' | 'service' | 'temporal'>;

const MIB = 2 ** 20;
const CLOSED_LOOKED_AT = 50;

/** Resolves when aborted. */
export async function sampleEvery(subject: Subject, options: SamplerOptions): Promise<void> {
  const { everyMs, signal, onSample, latencies } = options;
  const start = performance.now();
  let before = {
    at: start,
    date: new Date(),
    processors: readProcessorTime(),
    ...(await readMetrics(subject)),
  };
  for (let n = 1; ; n += 1) {
    await abortablePause(start + n * everyMs - performance.now(), signal);
    if (signal.aborted) return;
    const [at, date] = [performance.now(), new Date()];
    const metrics = await readMetrics(subject);
    const processors = readProcessorTime();
    const latency = latencies.take();
    onSample({
      at_s: (at - start) / 1_000,
      events_per_second: (metrics.accepted - before.accepted) / ((at - before.at) / 1_000),
      heap_used_mib: metrics.heap_used_mib,
      external_mib: metrics.external_mib,
      ...readProcess(subject.service.pid),
      ...(await readStream(subject)),
      ...(await readDatabase(subject)),
      ...(await readHistories(subject, before.date)),
      latency_p50_ms: latency?.p50 ?? null,
      latency_p95_ms: latency?.p95 ?? null,
      fixed_work_ms: timeFixedWork(),
      stolen_percent: stolenPercent(before.processors, processors),
    });
    before = { at, date, processors, ...metrics };
  }
}

async function readMetrics({ service }: Subject) {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  return {
    /** Since the service started. */
    accepted: metricOf(text, 'activity_core_events_total{fate="accepted"}') ?? 0,
    heap_used_mib: megabytes(metricOf(text, 'nodejs_heap_size_used_bytes')),
    external_mib: megabytes(metricOf(text, 'nodejs_external_memory_bytes')),
  };
}

/** `series`: its name with its labels. */
export function metricOf(text: string, series: string): number | null {
  const line = text.split('\n').find((one) => one.startsWith(`${series} `));
  return line === undefined ? null : Number(line.slice(series.length));
}

const megabytes = (bytes: number | null): number | null => (bytes === null ? null : bytes / MIB);

function readProcess(pid: number): Pick<Sample, 'rss_mib' | 'fds' | 'threads'> {
  const memory = readMemory(pid);
  if (!memory || !existsSync(`/proc/${pid}/fd`)) return { rss_mib: null, fds: null, threads: null };
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    rss_mib: (memory.now * 1e6) / MIB,
    fds: readdirSync(`/proc/${pid}/fd`).length,
    threads: Number(/^Threads:\s+(\d+)$/m.exec(status)?.[1]),
  };
}

async function readStream({ nats }: Subject): Promise<Pick<Sample, 'lag' | 'ack_pending'>> {
  const manager = await jetstreamManager(nats, { timeout: NATS_ANSWER_MS });
  const { state } = await manager.streams.info('ACTIVITY');
  const { num_ack_pending } = await manager.consumers.info('ACTIVITY', 'activity-core');
  return { lag: state.messages, ack_pending: num_ack_pending };
}

type FromDatabase = Pick<Sample, 'connections' | 'open_dispatches' | 'oldest_dispatch_s' | 'database_mib'>;

async function readDatabase({ pool }: Subject): Promise<FromDatabase> {
  const { rows } = await pool.query(
    `SELECT (SELECT count(*) FROM pg_stat_activity
              WHERE application_name = 'activity-core' AND datname = current_database()) AS connections,
            pg_database_size(current_database()) / ${MIB}::float8 AS database_mib,
            d.open_dispatches, d.oldest_dispatch_s
       FROM (SELECT count(*) AS open_dispatches,
                    coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS oldest_dispatch_s
               FROM dispatches WHERE closed_at IS NULL) d`,
  );
  return rows[0];
}

/** Of the newest that closed since then. A running one has no CloseTime, and Temporal's SQL takes that for a late one. */
async function readHistories(
  { temporal }: Subject,
  since: Date,
): Promise<Pick<Sample, 'history_events' | 'history_kib'>> {
  const closed: { events: number; bytes: number }[] = [];
  const query = `ExecutionStatus != "Running" AND CloseTime >= "${since.toISOString()}"`;
  for await (const { historyLength, historySize } of temporal.workflow.list({
    query,
    pageSize: CLOSED_LOOKED_AT,
  })) {
    closed.push({ events: historyLength, bytes: historySize ?? 0 });
    if (closed.length === CLOSED_LOOKED_AT) break;
  }
  if (closed.length === 0) return { history_events: null, history_kib: null };
  return {
    history_events: Math.max(...closed.map(({ events }) => events)),
    history_kib: Math.max(...closed.map(({ bytes }) => bytes)) / 1_024,
  };
}
