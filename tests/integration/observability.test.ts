/** What an operator watches of a live service: its metrics, and the ids of what failed in its log. */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { metricsEvent } from '../setup/event-path.ts';
import { createLivePath, type LivePath, liveOnEvent } from '../setup/live-path.ts';
import type { ServiceProcess } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const FAILS = `
id: fails-always
title: Its rule reads a field that the event leaves out
owner: tests
trigger: { event: { type: kaizen.metrics.recorded } }
rules:
  - id: quality
    condition: event.attributes.summary.avg_quality < 0.5
    task: { title: never }
`;

let live: LivePath;
let service: ServiceProcess;

beforeAll(async () => {
  live = await createLivePath(inject('servers'), {
    files: { ...liveOnEvent('on-event'), 'fails-always.yaml': FAILS },
    approved: ['on-event'],
  });
  service = await live.serve();
  await live.path.publish(metricsEvent('e1', 0.5));
  await live.path.publish('not json');
  await until('the task is created', async () => (await live.tasks("status = 'created'")).length === 1);
  await until('all runs are over', async () => (await live.runs("status <> 'running'")).length === 3);
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await live[Symbol.asyncDispose]();
});

test('dump', async () => {
  const text = await (await fetch(`${service.url}/metrics`)).text();
  writeFileSync('/tmp/wb-metrics.txt', text);
  writeFileSync('/tmp/wb-log.txt', service.log());
  expect(text).toContain('activity_core_ready');
});
