/** One soak, from starting servers of its own to the verdict. */
import { readEnvironment, readLoad } from '../bench/environment.ts';
import type { Check } from '../setup/checks.ts';
import { startOwnServers } from '../setup/own-servers.ts';
import { abortablePause } from './abortable-pause.ts';
import { type Change, changeDefinitions, declare } from './changes.ts';
import { AT_FIRST } from './definitions.ts';
import { LATE_MS } from './expected.ts';
import { createLatencies } from './latency.ts';
import { type Published, publishEvenly } from './publisher.ts';
import { type SeriesResult, seriesOf } from './report.ts';
import { rest } from './rest.ts';
import type { Sample } from './sample.ts';
import { sampleEvery } from './sampler.ts';
import { measureSaturation } from './saturation.ts';
import { openSoakSubject, type SoakSubject } from './subject.ts';
import { judge } from './verdict.ts';

export interface SoakOptions {
  seconds: number;
  /** Metrics events a second; null measures saturation and takes half of it. */
  rate: number | null;
  changeEveryMs: number;
  /** It lasts longer where these have not been made. */
  leastChanges: number;
  sampleEveryMs: number;
  onSample(sample: Sample): void;
  tell(message: string): void;
}

export interface SoakResult {
  environment: Awaited<ReturnType<typeof readEnvironment>>;
  seconds: number;
  /** Events a second; null where it was not measured. */
  saturation: number | null;
  rate: number;
  published: Published;
  /** Seconds since the first publish. */
  changes: { at_s: number; what: string }[];
  samples: Sample[];
  series: SeriesResult[];
  checks: Check[];
  /** What the service wrote. */
  log: string;
}

/** After the last change, so that however short the soak is, some events are decided by revisions that are beyond doubt. */
const LAST_STANDS_MS = 2 * LATE_MS;

/** Events a second that become live tasks. */
const WANTED_PER_SECOND = 5;

export async function runSoak(options: SoakOptions): Promise<SoakResult> {
  const load = readLoad();
  const { rate, saturation } = await rateOf(options);
  await using ownServers = await startOwnServers('soak');
  const environment = await readEnvironment(ownServers.servers, load);
  await using subject = await openSoakSubject(ownServers);
  const soaked = await soak(subject, { ...options, rate });
  options.tell('waiting until nothing is left');
  const rested = await rest(subject);
  options.tell('counting');
  const { published, changes, samples, began } = soaked;
  const checks = await judge({ subject, published, changes, rested });
  return {
    environment,
    seconds: options.seconds,
    saturation,
    rate,
    published,
    changes: changes.slice(1).map(({ asked, what }) => ({ at_s: (Date.parse(asked) - began) / 1_000, what })),
    samples,
    series: seriesOf(samples, options.seconds),
    checks,
    log: subject.service.log(),
  };
}

async function rateOf({ rate, tell }: SoakOptions): Promise<{ rate: number; saturation: number | null }> {
  if (rate !== null) return { rate, saturation: null };
  tell('measuring saturation, about a minute');
  const saturation = await measureSaturation(WANTED_PER_SECOND);
  tell(`saturation is ${Math.round(saturation)} events/s; half of it is what follows`);
  return { rate: saturation / 2, saturation };
}

interface Soaked {
  published: Published;
  /** The first is what was applied before anything was published. */
  changes: Change[];
  samples: Sample[];
  /** The first publish; ms since 1970. */
  began: number;
}

async function soak(subject: SoakSubject, options: SoakOptions & { rate: number }): Promise<Soaked> {
  const first = await declare(subject, 'the first revisions', AT_FIRST);
  const changes = [first];
  const samples: Sample[] = [];
  const latencies = createLatencies(subject.pool);
  const over = new AbortController();
  const enough = new AbortController();
  const changed = Promise.withResolvers<void>();
  const { signal } = over;
  const began = Date.now();
  const publishing = publishEvenly(subject.nats, {
    metricsPerSecond: options.rate,
    wantedPerSecond: Math.min(WANTED_PER_SECOND, options.rate),
    signal,
    onMetrics: latencies.watch,
  });
  if (options.leastChanges === 0) changed.resolve();
  const changing = changeDefinitions(subject, {
    first,
    everyMs: options.changeEveryMs,
    signal: AbortSignal.any([signal, enough.signal]),
    onChange(change) {
      changes.push(change);
      if (changes.length > options.leastChanges) changed.resolve();
    },
  });
  async function last(): Promise<void> {
    await abortablePause(options.seconds * 1_000, signal);
    if (!signal.aborted) await changed.promise;
    enough.abort();
    await changing;
    await abortablePause(LAST_STANDS_MS, signal);
  }
  const working = [
    publishing,
    latencies.run(signal),
    changing,
    sampleEvery(subject, {
      everyMs: options.sampleEveryMs,
      latencies,
      signal,
      onSample(sample) {
        samples.push(sample);
        options.onSample(sample);
      },
    }),
  ];
  // It ends with the time, unless one of them fails. All come to their end before anything is taken down under them.
  await Promise.allSettled([Promise.race([last(), Promise.all(working)])]);
  over.abort();
  await Promise.allSettled(working);
  await Promise.all(working);
  return { published: await publishing, changes, samples, began };
}
