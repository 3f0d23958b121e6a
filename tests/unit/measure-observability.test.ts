/** What `/metrics` shows while PostgreSQL is a black hole: connections are taken, and nothing is ever answered. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type MeasureDeps, measure } from '../../src/api/measure.ts';
import { createChecks } from '../../src/service/readiness.ts';
import { createPool, type Pool } from '../../src/store/pool.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';

const silent = pino({ level: 'silent' });
let sockets: Socket[];
let blackHole: Server;
let pool: Pool;
let metrics: Metrics;
let deps: MeasureDeps;

beforeEach(async () => {
  sockets = [];
  blackHole = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
  await once(blackHole.listen(0, '127.0.0.1'), 'listening');
  const { port } = blackHole.address() as AddressInfo;
  pool = createPool(`postgres://nobody@127.0.0.1:${port}/x`, silent, { max: 20, queryTimeoutMs: 60_000 });
  metrics = createMetrics();
  const registry = { held: () => null, current: async () => Promise.reject(new Error('unread')) };
  const fine = () => ({ ok: true, message: 'ok' });
  const checks = createChecks({ pool, registry, temporal: fine, nats: fine, isStopping: () => false });
  deps = { pool, registry, metrics, checks };
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  blackHole.close();
  await pool.end();
});

test('a scrape is over before the pool gives its connections up, and says that PostgreSQL is away', async () => {
  await measure(deps, silent);
  expect(pool.totalCount).toBeGreaterThan(0);
  const text = await metrics.registry.metrics();
  expect(text).toContain('activity_core_ready{check="postgres"} 0');
  expect(text).toContain('activity_core_ready{check="nats"} 1');
  expect(text).toContain('activity_core_events_total{fate="accepted"} 0');
});

test('what could not be read has no value, rather than its last one', async () => {
  metrics.outboxPending.set(7);
  metrics.expectationBreached.set({ definition_id: 'daily' }, 0);
  await measure(deps, silent);
  const text = await metrics.registry.metrics();
  for (const name of [
    'outbox_pending',
    'outbox_stranded',
    'outbox_oldest_seconds',
    'quarantine_bytes',
    'expectation_breached',
  ])
    expect(text).not.toMatch(new RegExp(`^activity_core_${name}[ {]`, 'm'));
});
