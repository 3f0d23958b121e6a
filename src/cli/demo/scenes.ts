/** What the demo shows, in this order. A new scene is a line at the end of the list. */
import type { Quarantined, RunDetail } from '../../clients/activity-core-api-shapes.ts';
import { completedRun, DEFINITION, metricsEvent, SUBJECT } from './metrics-event.ts';
import { eventually, hold, type Scene, type Stage } from './scene.ts';
import { engagementScenes } from './scenes-engagement.ts';
import { liveScenes } from './scenes-live.ts';
import { scheduleFires } from './scenes-schedule.ts';

const RATE = 'context.metrics.summary.success_rate';

const LOW_ID = 'demo-low';
const HEALTHY_ID = 'demo-healthy';

const low: Scene = {
  title: 'An agent did badly',
  given: 'event demo-low: the agent "coach" in kaizen-agentic, success rate 0.62',
  async play(stage) {
    await stage.publish(SUBJECT, lowEvent(stage));
    const run = await completedRun(stage, LOW_ID);
    const title = 'Review coach in kaizen-agentic';
    const made = run.tasks.map(({ status, spec }) => [status, spec.title]);
    hold(
      made.length === 1 && made[0]?.[0] === 'audited' && made[0][1] === title,
      `one audited "${title}"`,
      made,
    );
    return {
      happened: [
        `The definition "${DEFINITION}" ran once and wrote one task: "${title}".`,
        'The task is only written down ("audited"), not handed to anybody. That is the careful default.',
      ],
      why: [`Its rule asks for a success rate below 0.8, and ${readingOf(run)}.`],
      seeAt: `/api/v1/tasks?run_id=${run.run_id}`,
    };
  },
};

const healthy: Scene = {
  title: 'An agent did well',
  given: 'event demo-healthy: the same agent, success rate 0.97',
  async play(stage) {
    await stage.publish(SUBJECT, metricsEvent(stage, { id: HEALTHY_ID, success_rate: 0.97 }));
    const run = await completedRun(stage, HEALTHY_ID);
    hold(run.tasks.length === 0, 'no task', run.tasks);
    return {
      happened: [
        `"${DEFINITION}" ran and wrote no task. That it ran, and what it saw, is on record all the same.`,
      ],
      why: [`The same rule: ${readingOf(run)}, which is not below 0.8.`],
      seeAt: `/api/v1/runs/${run.run_id}`,
    };
  },
};

const duplicate: Scene = {
  title: 'The first event comes again',
  given:
    'event demo-low once more, letter for letter, as a publisher does who is not sure that it went through',
  async play(stage) {
    const event = await stage.api.getEvent(LOW_ID);
    await stage.publish(SUBJECT, lowEvent(stage));
    const counted = await eventually('the repetition to be counted', stage.signal, async () => {
      const now = await stage.api.getEvent(LOW_ID);
      return now.duplicates > event.duplicates ? now : null;
    });
    hold(counted.duplicates === event.duplicates + 1, 'one repetition', counted.duplicates);
    const runs = (await stage.api.listRuns({ event_id: LOW_ID })).items;
    hold(runs.length === 1, 'still one run', runs);
    return {
      happened: ['It was counted on the event and nothing ran: still one run, still one task.'],
      why: ['An event is known by its source and its id. These two were accepted before, however long ago.'],
      seeAt: `/api/v1/events/${LOW_ID}`,
    };
  },
};

const malformed: Scene = {
  title: 'Something arrives that is no event',
  given: 'the text {"id": "demo-broken", — cut off in the middle, by plain NATS',
  async play(stage) {
    await stage.publishPlainly(SUBJECT, '{"id": "demo-broken",');
    const quarantined = await refused(stage, SUBJECT, 'not_json');
    const kept = Buffer.from((await stage.api.getQuarantined(quarantined.id)).bytes_base64 ?? '', 'base64');
    hold(kept.toString() === '{"id": "demo-broken",', 'every byte of it kept', kept.toString());
    return {
      happened: ['It was put in quarantine: kept whole, set aside, and out of the way of the others.'],
      why: [`The reason on record is "${quarantined.reason}": ${messageOf(quarantined)}.`],
      seeAt: `/api/v1/quarantine/${quarantined.id}`,
    };
  },
};

const unknownType: Scene = {
  title: 'An event of a kind that nobody declared',
  given: 'event demo-unknown of the type kaizen.metrics.deleted',
  async play(stage) {
    const type = 'kaizen.metrics.deleted';
    const subject = `activity.${type}`;
    await stage.publish(subject, metricsEvent(stage, { id: 'demo-unknown', success_rate: 0.5, type }));
    const quarantined = await refused(stage, subject, 'unregistered_type');
    return {
      happened: ['It was put in quarantine too. Declare its type, and it can be run again from there.'],
      why: [`The reason on record is "${quarantined.reason}": ${messageOf(quarantined)}.`],
      seeAt: `/api/v1/quarantine/${quarantined.id}`,
    };
  },
};

export const scenes: readonly Scene[] = [
  low,
  healthy,
  duplicate,
  malformed,
  unknownType,
  ...engagementScenes,
  scheduleFires,
  ...liveScenes,
];

const lowEvent = (stage: Stage): string => metricsEvent(stage, { id: LOW_ID, success_rate: 0.62 });

/** `it read context.metrics.summary.success_rate = 0.62`. */
function readingOf({ rules }: RunDetail): string {
  const value = rules[0]?.values[RATE];
  hold(typeof value === 'number', `${RATE} among the values read`, rules);
  return `it read ${RATE} = ${value}`;
}

async function refused({ api, signal }: Stage, subject: string, reason: string): Promise<Quarantined> {
  const found = await eventually('it to be in quarantine', signal, async () => {
    const { items } = await api.listQuarantine({});
    return items.find((item) => item.subject === subject);
  });
  hold(found.reason === reason, `the reason ${reason}`, found.reason);
  return found;
}

function messageOf({ violations }: Quarantined): string {
  return violations[0]?.message ?? 'no more is known';
}
