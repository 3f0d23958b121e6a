/**
 * What the service under load does, and what is changed meanwhile. An event's number alone says what each revision decides of it,
 * so that millions can be counted in SQL.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

/** A task for 8 of 10 events: its filter, its texts and its label change. */
export const MAIN = 'soak-main';
/** A task for each tenth event; it is paused and resumed, and its revision stays. */
export const SAMPLE = 'soak-sample';
/** A task for each tenth event; it comes, is disabled, enabled and goes. */
export const GUEST = 'soak-guest';
export const LIVE = 'soak-live';
export const TICKS = 'soak-ticks';
export const TICK_EVERY_MS = 3_000;

export const METRICS_TYPE = 'kaizen.metrics.recorded';
export const WANTED_TYPE = 'soak.task.wanted';

/** What is in the folder of definitions. */
export interface Declared {
  main: number;
  /** Null where there is none. */
  guest: { revision: number; enabled: boolean } | null;
  /** Properties that the event type's schema has besides its own. */
  notes: number;
}

export const AT_FIRST: Declared = { main: 0, guest: null, notes: 0 };

/** Of twenty projects, the one that a revision of MAIN filters. Every second revision changes texts alone. */
export const excludedBy = (revision: number): number => Math.floor(revision / 2) % 10;

/** Those whose project no revision filters have a run of MAIN whatever is applied. */
export const alwaysRuns = (n: number): boolean => n % 20 >= 10;

const mainText = (revision: number) => `
id: ${MAIN}
title: Review an agent whose success rate dropped, revision ${revision}
owner: tests
trigger: { event: { type: ${METRICS_TYPE}, filter: 'event.attributes.project != "project-${excludedBy(revision)}"' } }
context_sources:
  - { type: event-payload, bind_to: context.metrics }
rules:
  - id: low-success-rate
    condition: context.metrics.summary.success_rate < 0.8
    task:
      title: 'Revision ${revision}: {{ event.id }}'
      description: 'Success rate {{ context.metrics.summary.success_rate }} of {{ context.metrics.agent }}'
      target_repo: '{{ context.metrics.project }}'
      labels: [kaizen, revision-${revision}]
      priority: medium
      dedupe_key: 'low-success-rate:{{ context.metrics.project }}:{{ context.metrics.agent }}'
`;

const partText = (
  id: string,
  { agent, revision, enabled = true }: { agent: number; revision: number; enabled?: boolean },
) => `
id: ${id}
title: Each tenth event
owner: tests
enabled: ${enabled}
trigger: { event: { type: ${METRICS_TYPE}, filter: 'event.attributes.agent == "agent-${agent}"' } }
rules:
  - id: always
    condition: "true"
    task: { title: 'Revision ${revision}: {{ event.id }}' }
`;

const LIVE_TEXT = `
id: ${LIVE}
title: A task for each event
owner: tests
trigger: { event: { type: ${WANTED_TYPE} } }
rules:
  - id: always
    condition: "true"
    task: { title: 'Task {{ event.id }}', dedupe_key: 'soak:{{ event.id }}' }
emit: live
`;

const TICKS_TEXT = `
id: ${TICKS}
title: A task for each tick
owner: tests
trigger: { schedule: { every: ${TICK_EVERY_MS / 1_000}s, catchup_window: 1m } }
rules:
  - id: always
    condition: "true"
    task: { title: 'Tick {{ run.scheduled_for }}' }
emit: live
`;

const WANTED_TYPE_TEXT = `
type: ${WANTED_TYPE}
title: Somebody wants a task
owner: tests
attributes_schema: { type: object, required: [number], properties: { number: { type: integer } } }
`;

/** @param folder is made what is declared; it may hold what was declared before. */
export async function writeDeclared(folder: string, { main, guest, notes }: Declared): Promise<void> {
  const file = (id: string) => join(folder, `${id}.yaml`);
  const types = join(folder, 'event-types');
  await mkdir(types, { recursive: true });
  await writeFile(join(types, `${METRICS_TYPE}.yaml`), await metricsType(notes));
  await writeFile(join(types, `${WANTED_TYPE}.yaml`), WANTED_TYPE_TEXT);
  await writeFile(file(MAIN), mainText(main));
  await writeFile(file(SAMPLE), partText(SAMPLE, { agent: 0, revision: 0 }));
  await writeFile(file(LIVE), LIVE_TEXT);
  await writeFile(file(TICKS), TICKS_TEXT);
  if (guest) await writeFile(file(GUEST), partText(GUEST, { agent: 1, ...guest }));
  else await rm(file(GUEST), { force: true });
}

async function metricsType(notes: number): Promise<string> {
  const shipped = parse(await readFile(`definitions/event-types/${METRICS_TYPE}.yaml`, 'utf8'));
  for (let n = 1; n <= notes; n += 1) shipped.attributes_schema.properties[`note_${n}`] = { type: 'string' };
  return stringify(shipped);
}
