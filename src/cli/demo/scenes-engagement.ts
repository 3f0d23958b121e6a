/** The kaizen engagement: schedules that stand in the repositories themselves, and the mistake that all make once. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { hold, NotHeld, type Scene, type Stage } from './scene.ts';

const DEFINITION = 'hourly-metrics-optimize';
const RUNS = ['pilot-a', 'pilot-b', 'pilot-c'].flatMap((repo) => [`${repo} coach`, `${repo} optimization`]);
const SEE = { seeAt: `/api/v1/definitions/${DEFINITION}/runs`, seeWith: { dry_run: true } };

const discovery: Scene = {
  title: 'Three repositories have schedules of their own',
  given:
    'a roster with three pilots, each with the agents "coach" at 15 * * * * and "optimization" at 30 * * * *',
  async play(stage) {
    const { runs, repos_scanned, skipped } = await discover(stage);
    hold(repos_scanned === 3 && skipped.length === 0, 'three repositories, none skipped', skipped);
    const found = runs.map(({ repo, agent }) => `${repo} ${agent}`);
    hold(sameTexts(found, RUNS), `exactly these six runs: ${RUNS.join(', ')}`, found);
    return {
      happened: [
        `Dry run of "${DEFINITION}", for the cadence daily: it sees ${found.length} runs in ${repos_scanned} repositories.`,
        `They are ${found.join(', ')}. Nothing was written.`,
      ],
      why: ['Each says "cadence: daily", and that is what is asked for; the cron only says at which times.'],
      ...SEE,
    };
  },
};

const bootstrapMistake: Scene = {
  title: 'A fourth repository makes the bootstrap mistake',
  given: 'pilot-d in the roster, whose schedule says "cadence: hourly"; it is taken out again afterwards',
  async play(stage) {
    await using _pilot = await addPilot(stage, 'pilot-d', MISTAKEN_SCHEDULE);
    const { runs, skipped } = await discover(stage);
    hold(runs.length === RUNS.length, 'still six runs', runs);
    const [only] = skipped;
    hold(
      skipped.length === 1 && only?.repo === 'pilot-d' && only.reason.startsWith('invalid_cadence'),
      'pilot-d alone to be skipped, with invalid_cadence',
      skipped,
    );
    return {
      happened: ['Still six runs: pilot-d is skipped, and the others do not suffer from it.'],
      why: [`The reason on record is "${only.reason}".`],
      ...SEE,
    };
  },
};

export const engagementScenes: readonly Scene[] = [discovery, bootstrapMistake];

const MISTAKEN_SCHEDULE = `version: 1
engagement: coulomb-loop
schedules:
  - { agent: coach, cadence: hourly, cron: "15 * * * *" }
`;

const reposSchema = z.object({
  runs: z.array(z.object({ repo: z.string(), agent: z.string() })),
  repos_scanned: z.number(),
  skipped: z.array(z.object({ repo: z.string(), reason: z.string() })),
});

async function discover({ api }: Stage): Promise<z.output<typeof reposSchema>> {
  const { context, errors } = await api.dryRun(DEFINITION, {});
  hold(errors.length === 0, 'a dry run without errors', errors);
  const repos = reposSchema.safeParse(context?.repos);
  if (!repos.success) throw new NotHeld(`expected context.repos; found ${JSON.stringify(context)}`);
  return repos.data;
}

const sameTexts = (found: readonly string[], expected: readonly string[]): boolean =>
  JSON.stringify(found) === JSON.stringify(expected);

async function addPilot({ engagement }: Stage, slug: string, schedule: string): Promise<AsyncDisposable> {
  const { reposRoot, roster } = engagement;
  const before = await readFile(roster, 'utf8');
  const folder = join(reposRoot, slug, '.kaizen');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'schedule.yml'), schedule);
  await writeFile(roster, `${before}  - { slug: ${slug}, path: ../../../${slug} }\n`);
  return {
    async [Symbol.asyncDispose]() {
      await writeFile(roster, before);
      await rm(join(reposRoot, slug), { recursive: true });
    },
  };
}
