/** What comes to be while the service starts. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { NativeConnection } from '@temporalio/worker';
import type { Bridge } from '../bridge/bridge.ts';
import type { StartDispatch, StartEmission } from '../bridge/dispatch.ts';
import type { TemporalSchedules } from '../schedules/temporal-schedules.ts';
import type { Workers } from '../worker.ts';

/** Null until it is there, and where the roles do not need it. */
export interface Parts {
  temporal: NativeConnection | null;
  startWorkflow: StartDispatch | null;
  startEmission: StartEmission | null;
  temporalSchedules: TemporalSchedules | null;
  workers: Workers | null;
  working: Promise<void>;
  nats: NatsConnection | null;
  bridge: Bridge | null;
  reconcilers: { stop(): Promise<void> }[];
  trust: { stop(): Promise<void> }[];
  retention: { stop(): Promise<void> } | null;
}

export const createParts = (): Parts => ({
  temporal: null,
  startWorkflow: null,
  startEmission: null,
  temporalSchedules: null,
  workers: null,
  working: Promise.resolve(),
  nats: null,
  bridge: null,
  reconcilers: [],
  trust: [],
  retention: null,
});
