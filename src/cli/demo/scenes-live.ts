/** From a definition that only writes tasks down to one that makes them in issue-core, and back. */
import { ApiProblemError } from '../../clients/activity-core-api-errors.ts';
import type { RunDetail, Task } from '../../clients/activity-core-api-shapes.ts';
import type { FaultSettings } from '../../dev/stand-ins/issue-core-faults.ts';
import type { IssueCoreTask } from './issue-core.ts';
import { completedRun, DEFINITION, endedRun, metricsEvent, SUBJECT } from './metrics-event.ts';
import { eventually, hold, NotHeld, type Scene, type Stage } from './scene.ts';

const EARLY_ID = 'demo-early';
const LIVE_ID = 'demo-live';
const REVIEWER = 'ana';

const tooEarly: Scene = {
  title: 'A definition says "live" before anybody has looked at what it makes',
  given: `"emit: live" in ${DEFINITION}, and event ${EARLY_ID}: "coach" again, 0.55; the line is taken back afterwards`,
  async play(stage) {
    await stage.setEmit(DEFINITION, 'live');
    await publish(stage, { id: EARLY_ID, success_rate: 0.55 });
    const run = await completedRun(stage, EARLY_ID);
    const { sink_mode, sink_reason } = run;
    hold(sink_mode === 'audit' && sink_reason !== null, 'an audit run with its reason', run);
    const task = onlyTask(run, 'audited');
    await holdTasks(stage, []);
    await stage.setEmit(DEFINITION, 'audit');
    return {
      happened: [
        `It made the task "${task.spec.title}", and only wrote it down: the run is audit all the same.`,
        'issue-core, which a stand-in plays here, has got nothing.',
      ],
      why: [`The reason on record is "${sink_reason}".`],
      seeAt: `/api/v1/runs/${run.run_id}`,
    };
  },
};

const review: Scene = {
  title: 'A person looks at it, and the definition is promoted',
  given: `${REVIEWER} approves that run; then "emit: live" in ${DEFINITION} again`,
  async play(stage) {
    const before = await stage.api.getPromotion(DEFINITION);
    const unmet = before.checks.filter(({ ok }) => !ok).map(({ name }) => name);
    hold(!before.ready && unmet.join() === 'review', 'the review alone to be missing', before.checks);
    const { run_id } = await completedRun(stage, EARLY_ID);
    await stage.api.reviewRun(run_id, { verdict: 'approved', reviewer: REVIEWER, note: 'the right agent' });
    const { ready, checks, change } = await stage.api.getPromotion(DEFINITION);
    hold(ready && change !== null, 'it to be ready, with the change to make', checks);
    const applied = await stage.setEmit(DEFINITION, 'live');
    hold(applied.sink_mode === 'live', 'the plan to say live', applied);
    return {
      happened: [
        'Before, its promotion lacked the review; now all that it asks for is there.',
        `It names one change, "${change.path}: ${change.from}" to "${change.to}". Applied, the plan says that its runs are ${applied.sink_mode}.`,
      ],
      why: [
        'What was approved is the content of the definition. Any other change of it asks for a new review.',
      ],
      seeAt: `/api/v1/definitions/${DEFINITION}/promotion`,
    };
  },
};

const live: Scene = {
  title: 'Now its task is real',
  given: `event ${LIVE_ID}: the agent "coach", success rate 0.5`,
  async play(stage) {
    await publish(stage, { id: LIVE_ID, success_rate: 0.5 });
    const run = await completedRun(stage, LIVE_ID);
    hold(run.sink_mode === 'live', 'a live run', run.sink_reason);
    const task = onlyTask(run, 'created');
    await holdTasks(stage, [task]);
    return {
      happened: [`issue-core has exactly one task: ${task.task_ref}, "${task.spec.title}".`],
      why: [
        `The same reference, ${task.task_ref}, is on record with the run: what was made is known by name.`,
      ],
      seeAt: `/api/v1/tasks?run_id=${run.run_id}`,
    };
  },
};

const duplicate: Scene = {
  title: 'The same thing goes wrong again while its task is open',
  given: 'event demo-again: another event, the same agent, success rate 0.4',
  async play(stage) {
    await publish(stage, { id: 'demo-again', success_rate: 0.4 });
    const first = onlyTask(await completedRun(stage, LIVE_ID), 'created');
    const run = await completedRun(stage, 'demo-again');
    const task = onlyTask(run, 'duplicate');
    hold(task.task_ref === first.task_ref, `a duplicate of ${first.task_ref}`, task.task_ref);
    await holdTasks(stage, [first]);
    return {
      happened: [
        `It ran, and its task is a duplicate of ${task.task_ref}. issue-core still has that one alone.`,
      ],
      why: [`Both have the dedupe key "${task.dedupe_key}", and the definition says "on_duplicate: skip".`],
      seeAt: `/api/v1/tasks?run_id=${run.run_id}`,
    };
  },
};

const failing: Scene = {
  title: 'issue-core takes a task and dies before it says so',
  given:
    'event demo-failing: the agent "planner", 0.3; half of issue-core\'s answers are 500, or the line is cut',
  async play(stage) {
    const before = await stage.issueCore.tasks();
    await using _broken = await stage.issueCore.breakDown(TAKEN_THEN_LOST);
    await publish(stage, { id: 'demo-failing', agent: 'planner', success_rate: 0.3 });
    const run = await completedRun(stage, 'demo-failing');
    const task = onlyTask(run, 'created');
    hold(task.attempts > 1, 'more than one try', task);
    await holdTasks(stage, [...before.map(asRecorded), task]);
    return {
      happened: [
        `It took ${task.attempts} tries, and there is exactly one task more: ${task.task_ref}, "${task.spec.title}".`,
      ],
      why: [
        'Each try has the same key, written down before the first: issue-core knows it, and answers with its task.',
      ],
      seeAt: `/api/v1/tasks?run_id=${run.run_id}`,
    };
  },
};

const rollback: Scene = {
  title: 'It is rolled back while a task waits',
  given:
    'event demo-rollback: the agent "critic", 0.2, while issue-core answers 500 to all; then "emit: audit"',
  async play(stage) {
    const before = await stage.issueCore.tasks();
    const run = await rolledBack(stage);
    const { run_id, error } = run;
    hold(error?.code === 'sink_disabled', 'the run to have failed with sink_disabled', error);
    onlyTask(run, 'pending');
    const refusal = await refusedResume(stage, run_id);
    const preview = await stage.api.discardTasks({ run_id, dry_run: true });
    hold(preview.count === 1, 'one task to discard', preview);
    await stage.api.discardTasks({ run_id, dry_run: false });
    onlyTask(await stage.api.getRun(run_id), 'discarded');
    await holdTasks(stage, before.map(asRecorded));
    return {
      happened: [
        `The run ended with "${error.code}". Its task stays pending: issue-core is well again, and nothing is sent.`,
        `To resume it is refused: ${refusal}.`,
        'An operator saw in a preview that there is one, and discarded it. issue-core has what it had before.',
      ],
      why: ["What waits when the definition is rolled back is sent, or dropped, by somebody's word alone."],
      seeAt: `/api/v1/tasks?run_id=${run_id}`,
    };
  },
};

export const liveScenes: readonly Scene[] = [tooEarly, review, live, duplicate, failing, rollback];

/** With these dice: the task is taken and the line cut, then a 500, then an answer. */
const TAKEN_THEN_LOST: FaultSettings = {
  faults: ['http_500', 'close_after_accepting'],
  rate: 0.5,
  seed: 67,
};

const publish = (stage: Stage, event: Parameters<typeof metricsEvent>[1]): Promise<void> =>
  stage.publish(SUBJECT, metricsEvent(stage, event));

function onlyTask({ tasks }: RunDetail, status: string): Task {
  const [task] = tasks;
  hold(
    tasks.length === 1 && task?.status === status,
    `one task, ${status}`,
    tasks.map((each) => each.status),
  );
  return task;
}

type Recorded = Pick<Task, 'task_ref' | 'idempotency_key'>;
const asRecorded = ({ ref, idempotency_key }: IssueCoreTask): Recorded => ({
  task_ref: ref,
  idempotency_key,
});

/** issue-core has these, under these references and keys, and no other. */
async function holdTasks({ issueCore }: Stage, expected: readonly Recorded[]): Promise<void> {
  const names = (tasks: readonly Recorded[]) =>
    tasks.map(({ task_ref, idempotency_key }) => `${task_ref} ${idempotency_key}`).join();
  const made = (await issueCore.tasks()).map(asRecorded);
  hold(
    names(made) === names(expected),
    `exactly these tasks in issue-core: ${names(expected) || 'none'}`,
    made,
  );
}

/** The run, over, of an event whose task issue-core did not take before the definition was switched to audit. */
async function rolledBack(stage: Stage): Promise<RunDetail> {
  await using _broken = await stage.issueCore.breakDown({ faults: ['http_500'] });
  await publish(stage, { id: 'demo-rollback', agent: 'critic', success_rate: 0.2 });
  await eventually('a first try to be on record', stage.signal, async () => {
    const { items } = await stage.api.listTasks({ definition_id: DEFINITION, status: 'pending' });
    return items.find(({ last_error }) => Boolean(last_error));
  });
  await stage.setEmit(DEFINITION, 'audit');
  return endedRun(stage, 'demo-rollback');
}

/** What it was refused with. */
async function refusedResume({ api }: Stage, run_id: string): Promise<string> {
  try {
    const { count } = await api.resumeTasks({ run_id, dry_run: false });
    throw new NotHeld(`expected a refusal to resume; found ${count} resumed`);
  } catch (error) {
    if (!(error instanceof ApiProblemError)) throw error;
    hold(error.code === 'wrong_state', 'wrong_state', error.code);
    return error.message;
  }
}
