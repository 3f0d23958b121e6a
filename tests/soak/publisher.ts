/** Publishes evenly until it is told to end, each message until the stream has it, and gives how many. */
import { setTimeout as pause } from 'node:timers/promises';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { abortablePause } from './abortable-pause.ts';
import {
  isMalformedBeside,
  METRICS_SUBJECT,
  malformedBody,
  metricsBody,
  metricsId,
  repeatedBeside,
  WANTED_SUBJECT,
  wantedBody,
  wantedId,
} from './messages.ts';
import { createPacer } from './pacing.ts';

export interface Published {
  /** Metrics events numbered from 0, without what is sent besides. */
  metrics: number;
  /** Events that want a task, numbered from 0. */
  wanted: number;
  /** Metrics events that were not sent, because the publisher was later than it may catch up. */
  lost: number;
}

export interface PublisherOptions {
  metricsPerSecond: number;
  wantedPerSecond: number;
  signal: AbortSignal;
  /** Just before a metrics event is first sent. */
  onMetrics(n: number): void;
  /** While it resolves to true nothing is sent; otherwise only the clock decides. */
  mustWait?: () => Promise<boolean>;
}

const LOOK_EVERY_MS = 10;
/** The load does not wait for those whom it loads: what a slow minute delays is sent all the same. */
const CATCH_UP_S = 60;
const IN_FLIGHT = 1_000;
const ANSWER_WITHIN_MS = 10_000;
const AGAIN_MS = 100;
const TRIES = 6;

/** Resolves when everything is acknowledged. */
export async function publishEvenly(nats: NatsConnection, options: PublisherOptions): Promise<Published> {
  const { metricsPerSecond, wantedPerSecond, signal, onMetrics, mustWait } = options;
  const stream = jetstream(nats);
  const start = performance.now();
  const pacers = {
    metrics: createPacer(metricsPerSecond, start, Math.max(1, metricsPerSecond * CATCH_UP_S)),
    wanted: createPacer(wantedPerSecond, start, Math.max(1, wantedPerSecond * CATCH_UP_S)),
  };
  const published = { metrics: 0, wanted: 0 };
  const inFlight = new Set<Promise<void>>();
  let fault: unknown;
  const send = (subject: string, body: string, id: string) => {
    const sending: Promise<void> = sendUntilTaken(stream, subject, body, id)
      .catch((error: unknown) => {
        fault ??= error;
      })
      .finally(() => inFlight.delete(sending));
    inFlight.add(sending);
  };

  while (!signal.aborted && !fault) {
    const now = performance.now();
    for (let due = pacers.metrics.take(now, IN_FLIGHT); due > 0; due -= 1) {
      const n = published.metrics;
      published.metrics += 1;
      onMetrics(n);
      send(METRICS_SUBJECT, metricsBody(n), metricsId(n));
      const again = repeatedBeside(n);
      if (again !== null) send(METRICS_SUBJECT, metricsBody(again), `${metricsId(again)} again`);
      if (isMalformedBeside(n)) send(METRICS_SUBJECT, malformedBody(n), `malformed ${n}`);
    }
    for (let due = pacers.wanted.take(now, IN_FLIGHT); due > 0; due -= 1) {
      const n = published.wanted;
      published.wanted += 1;
      send(WANTED_SUBJECT, wantedBody(n), wantedId(n));
    }
    while (inFlight.size > IN_FLIGHT) await Promise.race(inFlight);
    while (!signal.aborted && (await mustWait?.())) await abortablePause(LOOK_EVERY_MS, signal);
    await abortablePause(LOOK_EVERY_MS, signal);
  }
  await Promise.all(inFlight);
  if (fault) throw fault;
  return { ...published, lost: pacers.metrics.lost() };
}

/** Under one id, by which JetStream knows what it has already. */
async function sendUntilTaken(
  stream: JetStreamClient,
  subject: string,
  body: string,
  msgID: string,
): Promise<void> {
  for (let left = TRIES; ; left -= 1) {
    try {
      await stream.publish(subject, body, { msgID, timeout: ANSWER_WITHIN_MS });
      return;
    } catch (error) {
      if (left === 1) throw new Error(`${msgID} is not taken`, { cause: error });
      await pause(AGAIN_MS);
    }
  }
}
