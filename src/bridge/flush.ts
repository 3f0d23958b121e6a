/**
 * inbox → record → start → acknowledge. While one batch is being recorded the next piles up: that is the batching.
 * Idle, an event is alone and waits for nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsMsg } from '@nats-io/jetstream';
import type { Pressure } from '../store/dispatches.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { StartDispatch } from './dispatch.ts';
import type { Inbox } from './inbox.ts';
import { type ReceivedMessage, toReceivedMessage } from './message.ts';
import { createOwnDispatches } from './own-dispatches.ts';
import type { RecordBatch } from './record.ts';
import { ACK_WAIT_MS } from './stream.ts';
import type { Recorded } from './write-record.ts';

/** With more dispatches than this not closed, whoever recorded them, nothing is recorded: the stream holds the backlog. */
const MAX_OPEN_DISPATCHES = 24;
/**
 * While events come faster than a batch is over, the next one grows, and for as long again as the last one took, unless it cannot
 * grow any more. Measured: a workflow costs the same for one event as for hundreds; many small ones take the processors from NATS,
 * which then forgets messages more slowly than they come.
 */
const MAX_GROWING_MS = 100;
/** Batches that are recorded and wait for their workflows' start. */
const MAX_SETTLING = 4;
const CAPACITY_POLL_MS = 10;
const MAX_BACKOFF_MS = 5_000;
const STALL_MS = 60_000;

export interface FlushDeps {
  inbox: Inbox;
  record: RecordBatch;
  startDispatch: StartDispatch;
  takeQueued: (definitionIds: string[]) => Promise<string[]>;
  readPressure: (dispatchIds: string[]) => Promise<Pressure>;
  isConnected: () => boolean;
  logger: Logger;
}

export interface Flushing {
  /** The fault that keeps a batch from being recorded or started; null while all goes well. */
  fault(): string | null;
  /** Rejects where the loop ends by a fault that trying again cannot mend. */
  failed: Promise<never>;
  /** Finishes the batches in hand within `graceMs`; the rest is given back to the stream at once. */
  stop(graceMs: number): Promise<void>;
}

export function startFlushing(deps: FlushDeps): Flushing {
  const { inbox, logger } = deps;
  const stopping = new AbortController();
  const inHand = new Set<JsMsg>();
  const settling = new Set<Promise<void>>();
  const faults = new Map<string, string>();
  const own = createOwnDispatches();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await inbox.filled();
      const began = performance.now();
      const batch = inbox.take();
      if (batch.length === 0) return;
      for (const message of batch) inHand.add(message);
      const received = batch.map(toReceivedMessage);
      const recorded = await untilDone('record', () => deps.record(received), sequencesOf(received));
      if (!recorded) return;
      const settled = settle(batch, recorded)
        .catch(failure.reject)
        .finally(() => settling.delete(settled));
      settling.add(settled);
      own.add(recorded.dispatch_ids);
      if (settling.size >= MAX_SETTLING) await Promise.race(settling);
      await untilCapacity(recorded.open_dispatches);
      // An event that comes when nothing waits is alone, and goes at once.
      if (inbox.waiting().length > 0)
        await inbox.fullWithin(Math.min(performance.now() - began, MAX_GROWING_MS));
    }
  }

  async function settle(batch: JsMsg[], recorded: Recorded): Promise<void> {
    const { dispatch_ids, queued_definitions } = recorded;
    const startAll = (ids: string[]) => Promise.all(ids.map(deps.startDispatch));
    // What was taken counts as at work from then on: a second try is not given it again.
    const taken: string[] = [];
    const startQueued = async () => {
      taken.push(...(await deps.takeQueued(queued_definitions)));
      await startAll(taken);
    };
    const started = await untilDone('start', () => Promise.all([startAll(dispatch_ids), startQueued()]), {
      dispatch_ids,
      queued_definitions,
    });
    if (!started) return;
    for (const message of batch) {
      message.ack();
      inHand.delete(message);
    }
  }

  async function untilCapacity(open: number): Promise<void> {
    const since = performance.now();
    const isBusy = () => own.list().length > 0 && !inbox.isFull();
    const mustWait = () => open > MAX_OPEN_DISPATCHES || isBusy();
    while (mustWait() && !stopping.signal.aborted) {
      const pressure = await untilDone('record', () => deps.readPressure(own.list()));
      if (!pressure) return;
      open = pressure.open;
      own.keep(pressure.among);
      if (!mustWait()) break;
      if (inbox.isFull()) await sleep(CAPACITY_POLL_MS);
      else await inbox.fullWithin(CAPACITY_POLL_MS);
      if (performance.now() - since > STALL_MS)
        faults.set('capacity', `capacity: ${open} dispatches stay open; does a worker run?`);
    }
    faults.delete('capacity');
  }

  /** PostgreSQL or Temporal being away delays a batch and never drops it. Null: stopped before it was done. */
  async function untilDone<T>(
    step: string,
    work: () => Promise<T>,
    ids: Record<string, unknown> = {},
  ): Promise<T | null> {
    for (let backoff = 50; !stopping.signal.aborted; backoff = Math.min(backoff * 2, MAX_BACKOFF_MS)) {
      try {
        const result = await work();
        faults.delete(step);
        return result;
      } catch (error) {
        faults.set(step, `${step}: ${(error as Error).message}`);
        const context = { err: error, step, ...ids, retry_in_ms: backoff };
        logger.warn(context, 'a batch could not go on and is tried again');
        await sleep(backoff, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
    return null;
  }

  // What waits here for long is not to be delivered to another replica meanwhile.
  const keepAlive = setInterval(() => {
    if (!deps.isConnected()) return;
    for (const message of [...inHand, ...inbox.waiting()]) message.working();
  }, ACK_WAIT_MS / 3);
  const running = run().catch(failure.reject);
  return {
    failed: failure.promise,
    fault: () => [...faults.values()][0] ?? null,
    async stop(graceMs) {
      inbox.close();
      const done = running.then(() => Promise.all(settling));
      const grace = new AbortController();
      await Promise.race([done, sleep(graceMs, undefined, { signal: grace.signal }).catch(() => undefined)]);
      grace.abort();
      stopping.abort();
      await done;
      clearInterval(keepAlive);
      if (!deps.isConnected()) return;
      for (const message of [...inHand, ...inbox.waiting()]) message.nak();
    },
  };
}

const sequencesOf = (received: ReceivedMessage[]) => ({
  messages: received.length,
  first_stream_seq: received[0]?.stream_seq,
  last_stream_seq: received.at(-1)?.stream_seq,
});
