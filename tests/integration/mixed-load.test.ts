/**
 * Malformed messages among as many good ones, through NATS and PostgreSQL, past the limit of quarantine: each is accounted for.
 * `MIXED_LOAD=50000 npx vitest run --project integration tests/integration/mixed-load.test.ts` sends 50,000 of each.
 */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { QuarantineReason } from '../../src/core/envelope.ts';
import { createEventPath, type EventPath, metricsEvent, SUBJECT } from '../setup/event-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const OF_EACH = Number(process.env.MIXED_LOAD ?? 2_000);
const IN_FLIGHT = 500;
const BOUND_MS = 1_200_000;
/** Some hundreds fit. */
const QUARANTINE_MAX_BYTES = 250_000;
/** They are a thousand times as large as the others. */
const TOO_LARGE_EVERY = 400;

let path: EventPath;
let service: ServiceProcess;

beforeAll(async () => {
  path = await createEventPath(inject('servers'));
  service = await spawnService({
    environment: { ...path.environment, QUARANTINE_MAX_BYTES: String(QUARANTINE_MAX_BYTES) },
  });
  await service.ready();
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await path?.[Symbol.asyncDispose]();
});

const FIRST = 'good-0';
const nested = '['.repeat(70) + ']'.repeat(70);

/** `n` makes each its own. */
const MALFORMED: readonly [QuarantineReason, (n: number) => unknown, subject?: string][] = [
  ['not_json', (n) => `success_rate=${n}`],
  ['not_json', (n) => Buffer.from([0xff, 0xfe, n % 256])],
  ['not_json', (n) => JSON.stringify(metricsEvent(`cut-${n}`)).slice(0, -1)],
  ['not_json', () => ''],
  ['invalid_envelope', (n) => [n]],
  ['invalid_envelope', (n) => metricsEvent('', 0.5, { n })],
  ['too_deep', (n) => `{"id":"deep-${n}","attributes":${nested}}`],
  ['unstorable', (n) => metricsEvent(`nul-${n}`, 0.5, { subject: 'a\u0000b' })],
  ['subject_mismatch', (n) => metricsEvent(`elsewhere-${n}`), 'activity.other.type'],
  [
    'unregistered_type',
    (n) => metricsEvent(`unknown-${n}`, 0.5, { type: 'other.type' }),
    'activity.other.type',
  ],
  ['invalid_attributes', (n) => metricsEvent(`bare-${n}`, 0.5, { attributes: { n } })],
  ['too_old', (n) => metricsEvent(`old-${n}`, 0.5, { time: '2020-01-01T00:00:00Z' })],
  ['id_conflict', (n) => metricsEvent(FIRST, 0.1 + n / 1e6)],
];

async function publishMixed(): Promise<Record<string, number>> {
  const expected: Record<string, number> = {};
  const flying = new Set<Promise<unknown>>();
  async function send(body: unknown, subject = SUBJECT): Promise<void> {
    const sent: Promise<unknown> = path.publish(body, subject).finally(() => flying.delete(sent));
    flying.add(sent);
    if (flying.size >= IN_FLIGHT) await Promise.race(flying);
  }
  // What conflicts with it must come after it.
  await path.publish(metricsEvent(FIRST));
  for (let n = 0; n < OF_EACH; n += 1) {
    if (n > 0) await send(metricsEvent(`good-${n}`));
    const isLarge = n % TOO_LARGE_EVERY === TOO_LARGE_EVERY - 1;
    const [reason, make, subject] = isLarge
      ? (['too_large', () => 'x'.repeat(300_000)] as const)
      : MALFORMED[n % MALFORMED.length]!;
    await send(make(n), subject);
    expected[reason] = (expected[reason] ?? 0) + 1;
  }
  await Promise.all(flying);
  return expected;
}

async function byReason(sql: string): Promise<Record<string, number>> {
  const { rows } = await path.pool.query(sql);
  return Object.fromEntries(rows.map((row) => [row.reason, Number(row.n)]));
}

test(
  `${OF_EACH} malformed messages among ${OF_EACH} good ones: nothing crashes, and each is accounted for once`,
  async () => {
    const begun = performance.now();
    const expected = await publishMixed();
    const seconds = () => ((performance.now() - begun) / 1000).toFixed(1);
    const published = seconds();
    const isDone = () => path.count('activity_runs', "status = 'completed'").then((n) => n >= OF_EACH);
    await until('every good event has its run', isDone, { boundMs: BOUND_MS, context: service.log });
    await until(
      'every malformed message is refused',
      async () =>
        (await path.count('quarantined_events')) + (await path.count('quarantine_overflow_messages')) >=
        OF_EACH,
      { boundMs: BOUND_MS, context: service.log },
    );
    await path.drained();

    const kept = await byReason('SELECT reason, count(*) AS n FROM quarantined_events GROUP BY reason');
    const counted = await byReason('SELECT reason, count AS n FROM quarantine_overflow');
    const sums = Object.keys(expected).map((reason) => [
      reason,
      (kept[reason] ?? 0) + (counted[reason] ?? 0),
    ]);
    console.info(
      JSON.stringify({ of_each: OF_EACH, published_s: published, handled_s: seconds(), kept, counted }),
    );
    expect(Object.fromEntries(sums)).toEqual(expected);
    expect(Object.keys({ ...kept, ...counted }).toSorted()).toEqual(Object.keys(expected).toSorted());
    const { rows } = await path.pool.query(
      `SELECT (SELECT count(DISTINCT id) FROM events WHERE fate = 'accepted') AS accepted,
              (SELECT count(*) FROM events) AS events,
              (SELECT count(*) FROM event_duplicates) AS duplicates,
              (SELECT count(DISTINCT event_id) FROM activity_runs) AS runs,
              (SELECT count(*) FROM task_spawn_log) AS tasks,
              (SELECT sum(count)::bigint FROM quarantine_overflow) - (SELECT count(*) FROM quarantine_overflow_messages) AS apart`,
    );
    expect(rows[0]).toEqual({
      accepted: OF_EACH,
      events: OF_EACH,
      duplicates: 0,
      runs: OF_EACH,
      tasks: OF_EACH,
      apart: 0,
    });
    expect(Object.values(kept).length).toBeGreaterThan(0);
    expect(Object.values(counted).length).toBeGreaterThan(0);

    const ready = await fetch(`${service.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ notes: [expect.stringMatching(/^quarantine is full/)] });
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(metrics).toContain(`activity_core_events_total{fate="accepted"} ${OF_EACH}\n`);
    expect(metrics).toContain(`activity_core_events_total{fate="quarantined"} ${OF_EACH}\n`);
    const errors = service
      .log()
      .split('\n')
      .filter((line) => line.includes('"level":50'));
    expect(errors.filter((line) => !line.includes('quarantine is full'))).toEqual([]);
    expect(errors.length).toBeGreaterThan(0);
  },
  BOUND_MS,
);
