/** What the service under attack does: one definition that is live, one that audits what its filter lets pass, one with a clock. */
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const LIVE = 'chaos-live';
export const AUDIT = 'chaos-audit';
export const TICKS = 'chaos-ticks';
export const TICK_EVERY_MS = 2_000;

const FILES = {
  [LIVE]: `
id: ${LIVE}
title: A task for each event
owner: tests
trigger: { event: { type: kaizen.metrics.recorded } }
rules:
  - id: asked-for-first
    condition: event.attributes.summary.success_rate < 0.5
    task: { title: 'Event {{ event.id }}', dedupe_key: 'event:{{ event.id }}' }
  - id: posted-at-once
    condition: event.attributes.summary.success_rate >= 0.5
    task: { title: 'Event {{ event.id }}' }
emit: live
`,
  [AUDIT]: `
id: ${AUDIT}
title: A spec for each event that is not the sandbox's
owner: tests
trigger: { event: { type: kaizen.metrics.recorded, filter: 'event.attributes.project != "sandbox"' } }
rules:
  - id: always
    condition: "true"
    task: { title: 'Audit {{ event.id }}' }
`,
  [TICKS]: `
id: ${TICKS}
title: A task for each tick
owner: tests
trigger: { schedule: { every: ${TICK_EVERY_MS / 1_000}s, catchup_window: 10s } }
rules:
  - id: always
    condition: "true"
    task: { title: 'Tick {{ run.scheduled_for }}' }
emit: live
`,
};

export async function writeDefinitions(folder: string): Promise<void> {
  await cp('definitions/event-types', join(folder, 'event-types'), { recursive: true });
  for (const [id, document] of Object.entries(FILES)) await writeFile(join(folder, `${id}.yaml`), document);
}

/** Every fifth event is the sandbox's: the audit definition filters it. */
export const isFiltered = (n: number): boolean => n % 5 === 0;

export const EVENT_SOURCE = 'chaos';
export const eventId = (n: number): string => `e-${n}`;

/** The same bytes for the same number but for the time: a resend is a duplicate, never a conflict. */
export function eventBody(n: number): string {
  const project = isFiltered(n) ? 'sandbox' : 'kaizen-agentic';
  const success_rate = n % 2 === 0 ? 0.25 : 0.75;
  return JSON.stringify({
    id: eventId(n),
    type: 'kaizen.metrics.recorded',
    source: EVENT_SOURCE,
    time: new Date().toISOString(),
    attributes: { agent: 'coach', project, summary: { success_rate } },
  });
}

export const malformedBody = (n: number): string => `not JSON, number ${n}`;
