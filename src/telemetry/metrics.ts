/** The process' own metrics (contract 5). The Temporal SDK's are appended where `/metrics` is served. */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';

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
  consumerLag: Gauge;
  outboxPending: Gauge;
  openDispatches: Gauge;
  queuedDispatches: Gauge<'definition_id'>;
  expectationBreached: Gauge<'definition_id'>;
  trusted: Gauge<'definition_id'>;
  retentionDeleted: Counter<'table'>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `activity_core_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name: `activity_core_${name}`, help, labelNames, registers });
  return {
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
    consumerLag: gauge('consumer_lag', 'Messages in the stream that are not acknowledged yet', []),
    outboxPending: gauge('outbox_pending', 'Task specs that wait to be sent', []),
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
  };
}
