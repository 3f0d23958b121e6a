/** The process' own metrics (contract 5). The Temporal SDK's are appended where `/metrics` is served. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  registry: Registry;
  events: Counter<'fate'>;
  quarantined: Counter<'reason'>;
  quarantineOverflow: Counter<'reason'>;
  quarantineBytes: Gauge;
  decisions: Counter<'definition_id' | 'outcome'>;
  runs: Counter<'definition_id' | 'status'>;
  tasks: Counter<'definition_id' | 'status'>;
  ticks: Counter<'definition_id' | 'outcome'>;
  flushMessages: Histogram;
  flushSeconds: Histogram;
  runSeconds: Histogram<'definition_id'>;
  /** Without a value until it is read, and where it cannot be: `absent()` sees that. */
  consumerLag: Gauge;
  outboxPending: Gauge;
  outboxOldest: Gauge;
  outboxStranded: Gauge;
  /** The two below are constants of the process: what alerts compare with, and whom they miss. */
  emitGiveUp: Gauge;
  role: Gauge<'role'>;
  openDispatches: Gauge;
  queuedDispatches: Gauge<'definition_id'>;
  expectationBreached: Gauge<'definition_id'>;
  trusted: Gauge<'definition_id'>;
  retentionDeleted: Counter<'table'>;
  ready: Gauge<'check'>;
}

/** A batch has at most 500 messages. */
const MESSAGES = [1, 2, 5, 10, 25, 50, 100, 250, 500];
const FLUSH_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** From a rule to a day in which issue-core is away. */
const RUN_SECONDS = [0.01, 0.05, 0.25, 1, 5, 30, 120, 600, 3_600, 86_400];

export interface MeasuredProcess {
  roles?: readonly string[];
  /** EMIT_GIVE_UP_HOURS */
  emitGiveUpHours?: number;
}

export function createMetrics({ roles = [], emitGiveUpHours }: MeasuredProcess = {}): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `activity_core_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name: `activity_core_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets: number[]) =>
    new Histogram({ name: `activity_core_${name}`, help, labelNames, buckets, registers });
  const metrics: Metrics = {
    registry,
    events: counter('events_total', 'Messages received, by fate', ['fate']),
    quarantined: counter('quarantined_total', 'Messages quarantined, by reason', ['reason']),
    quarantineOverflow: counter(
      'quarantine_overflow_total',
      'Those of them that were counted and not kept, since quarantine was full',
      ['reason'],
    ),
    quarantineBytes: gauge(
      'quarantine_bytes',
      'What quarantine holds; QUARANTINE_MAX_BYTES is its limit',
      [],
    ),
    decisions: counter('decisions_total', 'Decisions on events, by definition and outcome', [
      'definition_id',
      'outcome',
    ]),
    runs: counter('runs_total', 'Runs ended, by definition and status', ['definition_id', 'status']),
    tasks: counter('tasks_total', 'Task specs, by definition and status', ['definition_id', 'status']),
    ticks: counter('ticks_total', 'Scheduled ticks, by definition and outcome', ['definition_id', 'outcome']),
    flushMessages: histogram('flush_messages', 'Messages in a batch that was recorded', [], MESSAGES),
    flushSeconds: histogram(
      'flush_duration_seconds',
      'How long it took to record a batch',
      [],
      FLUSH_SECONDS,
    ),
    runSeconds: histogram(
      'run_duration_seconds',
      'From the start of a run to its end, by definition',
      ['definition_id'],
      RUN_SECONDS,
    ),
    consumerLag: gauge('consumer_lag', 'Messages in the stream that are not acknowledged yet', []),
    outboxPending: gauge('outbox_pending', 'Task specs that wait to be sent', []),
    outboxOldest: gauge(
      'outbox_oldest_seconds',
      'For how long the oldest of those waits that are being sent',
      [],
    ),
    outboxStranded: gauge('outbox_stranded', 'Those whose run is over: an operator resumes or discards', []),
    emitGiveUp: gauge('emit_give_up_seconds', 'EMIT_GIVE_UP_HOURS, in seconds', []),
    role: gauge('role', '1 for each role of the process', ['role']),
    openDispatches: gauge('open_dispatches', 'Dispatches that are not closed', []),
    queuedDispatches: gauge(
      'queued_dispatches',
      'Dispatches that wait until others of their definition end',
      ['definition_id'],
    ),
    expectationBreached: gauge('expectation_breached', '1 where no run completed for longer than run_every', [
      'definition_id',
    ]),
    trusted: gauge('trusted', '1 where the newest scheduled runs are clean', ['definition_id']),
    retentionDeleted: counter('retention_deleted_total', 'Rows deleted for their age, by table', ['table']),
    ready: gauge('ready', '1 where the process has what it needs, by check of /readyz', ['check']),
  };
  metrics.consumerLag.remove();
  if (emitGiveUpHours === undefined) metrics.emitGiveUp.remove();
  else metrics.emitGiveUp.set(emitGiveUpHours * 3_600);
  for (const role of roles) metrics.role.set({ role }, 1);
  return metrics;
}
