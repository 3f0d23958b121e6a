/** One look at the service, and the series that a soak makes of them. */
import type { Bounds } from './flatness.ts';

/** Null where there was nothing to see: no `/proc`, no workflow that closed, no probe that came back. */
export interface Sample {
  /** Since the first publish. */
  at_s: number;
  events_per_second: number | null;
  lag: number | null;
  ack_pending: number | null;
  open_dispatches: number | null;
  oldest_dispatch_s: number | null;
  rss_mib: number | null;
  heap_used_mib: number | null;
  external_mib: number | null;
  fds: number | null;
  threads: number | null;
  connections: number | null;
  /** Of the workflows that closed since the sample before, the longest and the largest. */
  history_events: number | null;
  history_kib: number | null;
  latency_p50_ms: number | null;
  latency_p95_ms: number | null;
  database_mib: number | null;
  /** The same work each time: how fast the machine is. */
  fixed_work_ms: number;
  /** Of the processors' time since the sample before. */
  stolen_percent: number | null;
}

export type Measured = Exclude<keyof Sample, 'at_s'>;

export interface SeriesKind {
  key: Measured;
  what: string;
  unit: string;
  /** Null where it is only shown. */
  bounds: Bounds | null;
}

const PERCENT = 5;

const within = (floor: number): Bounds => ({ percent: PERCENT, floor });
const lowsWithin = (floor: number): Bounds => ({ ...within(floor), lows: true });

export const SERIES: SeriesKind[] = [
  { key: 'events_per_second', what: 'events recorded', unit: '/s', bounds: null },
  { key: 'lag', what: 'messages not acknowledged, lows', unit: '', bounds: lowsWithin(500) },
  { key: 'ack_pending', what: 'of them delivered, lows', unit: '', bounds: lowsWithin(500) },
  { key: 'open_dispatches', what: 'open dispatches', unit: '', bounds: within(10) },
  { key: 'oldest_dispatch_s', what: 'the oldest of them', unit: 's', bounds: within(5) },
  { key: 'rss_mib', what: 'resident memory', unit: 'MiB', bounds: within(16) },
  { key: 'heap_used_mib', what: 'heap used', unit: 'MiB', bounds: within(16) },
  { key: 'external_mib', what: 'external memory', unit: 'MiB', bounds: within(16) },
  { key: 'fds', what: 'file descriptors', unit: '', bounds: within(5) },
  { key: 'threads', what: 'threads', unit: '', bounds: within(2) },
  { key: 'connections', what: 'PostgreSQL connections', unit: '', bounds: within(3) },
  { key: 'history_events', what: 'longest history closed', unit: 'events', bounds: within(5) },
  { key: 'history_kib', what: 'largest history closed', unit: 'KiB', bounds: within(2) },
  { key: 'latency_p50_ms', what: 'publish to commit, p50', unit: 'ms', bounds: null },
  { key: 'latency_p95_ms', what: 'publish to commit, p95', unit: 'ms', bounds: null },
  { key: 'database_mib', what: 'database', unit: 'MiB', bounds: null },
  { key: 'fixed_work_ms', what: 'the machine: the same work', unit: 'ms', bounds: null },
  { key: 'stolen_percent', what: 'the machine: time stolen', unit: '%', bounds: null },
];
