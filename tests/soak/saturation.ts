/** What the service can do here with the soak's own load: published as fast as the stream takes it, and drained at once. */
import { perSecond } from '../bench/events.ts';
import { abortablePause } from './abortable-pause.ts';
import { METRICS_TYPE } from './definitions.ts';
import { publishEvenly } from './publisher.ts';
import { rest } from './rest.ts';
import { startSoakServers } from './servers.ts';
import { openSoakSubject, type SoakSubject } from './subject.ts';

const WARM_UP_MS = 10_000;
const LASTS_MS = 30_000;
/** More than any stream takes here. */
const METRICS_PER_SECOND = 50_000;

/** Metrics events a second, beside so many that become live tasks; with servers of its own. */
export async function measureSaturation(wantedPerSecond: number): Promise<number> {
  await using soak = await startSoakServers();
  await using subject = await openSoakSubject(soak);
  const over = new AbortController();
  const publishing = publishEvenly(subject.nats, {
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
      publishing.then(() => Promise.reject(new Error('it ended'))),
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
