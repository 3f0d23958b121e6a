/**
 * What the service can keep up with here, with the soak's own load: published as fast as it can be, while no more than a few seconds'
 * worth waits. Published without a bound, a stream that flushes each message takes events faster than it can forget them.
 */
import { jetstreamManager } from '@nats-io/jetstream';
import { perSecond } from '../bench/events.ts';
import { startOwnServers } from '../setup/own-servers.ts';
import { abortablePause } from './abortable-pause.ts';
import { METRICS_TYPE } from './definitions.ts';
import { publishEvenly } from './publisher.ts';
import { rest } from './rest.ts';
import { openSoakSubject, type SoakSubject } from './subject.ts';

const WARM_UP_MS = 15_000;
const LASTS_MS = 30_000;
/** Messages in the stream: enough to fill every batch. */
const MOST_WAITING = 3_000;
/** More than can be taken; what is due after a wait comes at once. */
const METRICS_PER_SECOND = 6_000;

/** Metrics events a second, beside so many that become live tasks; with servers of its own. */
export async function measureSaturation(wantedPerSecond: number): Promise<number> {
  await using ownServers = await startOwnServers('soak');
  await using subject = await openSoakSubject(ownServers);
  const over = new AbortController();
  const manager = await jetstreamManager(subject.nats);
  const publishing = publishEvenly(subject.nats, {
    mustWait: async () => (await manager.streams.info('ACTIVITY')).state.messages > MOST_WAITING,
    metricsPerSecond: METRICS_PER_SECOND,
    wantedPerSecond,
    signal: over.signal,
    onMetrics: () => undefined,
  });
  const lasting = async () => {
    await abortablePause(WARM_UP_MS, over.signal);
    const before = { events: await countMetrics(subject), at: performance.now() };
    await abortablePause(LASTS_MS, over.signal);
    return before;
  };
  try {
    const before = await Promise.race([
      lasting(),
      publishing.then(() => Promise.reject(new Error('the publisher ended before it was told to'))),
    ]);
    over.abort();
    await publishing;
    await rest(subject);
    return perSecond((await countMetrics(subject)) - before.events, performance.now() - before.at);
  } finally {
    over.abort();
  }
}

async function countMetrics({ pool }: SoakSubject): Promise<number> {
  const { rows } = await pool.query('SELECT count(*) AS n FROM events WHERE type = $1', [METRICS_TYPE]);
  return rows[0].n;
}
