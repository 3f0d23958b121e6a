/** A schedule that fires while one looks. */
import { EVERY_TWO_SECONDS } from './every-two-seconds.ts';
import { eventually, hold, type Scene } from './scene.ts';

const TICKS = 2;

export const scheduleFires: Scene = {
  title: 'A clock ticks',
  given: `the definition "${EVERY_TWO_SECONDS.id}", which has the schedule "every: 2s", in the demo's own copy of definitions/`,
  async play({ api, signal }) {
    const filter = { definition_id: EVERY_TWO_SECONDS.id, outcome: 'fired' };
    const ticks = await eventually(
      `${TICKS} ticks that fired and whose runs have ended`,
      signal,
      async () => {
        const { items } = await api.listTicks(filter);
        const runs = await api.listRuns({ definition_id: filter.definition_id, trigger: 'schedule' });
        const ended = new Set(
          runs.items.filter(({ status }) => status !== 'running').map(({ run_id }) => run_id),
        );
        const found = items.filter(({ run_id }) => run_id !== null && ended.has(run_id));
        return found.length >= TICKS ? found.slice(0, TICKS).reverse() : null;
      },
    );
    const told: string[] = [];
    for (const { scheduled_for, run_id } of ticks) {
      const run = await api.getRun(run_id ?? '');
      hold(run.status === 'completed', 'a completed run', run.error ?? run.status);
      hold(run.trigger.scheduled_for === scheduled_for, `a run for ${scheduled_for}`, run.trigger);
      const titles = run.tasks.map(({ spec }) => spec.title);
      hold(titles.length === 1, 'one task', titles);
      told.push(`The tick of ${scheduled_for} fired: one run, and one task, "${titles[0]}".`);
    }
    return {
      happened: told,
      why: [
        'Temporal keeps the clock. Each time that was due has one outcome on record, also when nothing ran.',
      ],
      seeAt: `/api/v1/ticks?definition_id=${EVERY_TWO_SECONDS.id}`,
    };
  },
};
