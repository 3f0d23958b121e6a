import { mkdir, symlink } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { compileDefinition } from '../../src/core/compile.ts';
import { checkShape } from '../../src/core/shape.ts';
import { loadDefinitions } from '../../src/definitions/load.ts';
import { createDiscoverKaizenScheduledRepos } from '../../src/resolvers/discover-kaizen-scheduled-repos.ts';
import { contextTypesOf, createResolvers } from '../../src/resolvers/registry.ts';
import { resolveContext } from '../../src/resolvers/resolve-context.ts';
import { PILOT, type ReposRoot, reposRoot, rosterOf, SCHEDULE, scheduleOf } from './repos-root.ts';

const ROSTER = 'coulomb-loop/loops/kaizen-stack/roster.yaml';
const PILOTS = ['pilot-a', 'pilot-b', 'pilot-c'];

function engagement(more: Record<string, string> = {}): Promise<ReposRoot> {
  const paths = Object.fromEntries(PILOTS.map((name) => [name, `../../../${name}`]));
  const files = PILOTS.map((name) => [`${name}/${SCHEDULE}`, PILOT]);
  return reposRoot({ [ROSTER]: rosterOf(paths), ...Object.fromEntries(files), ...more });
}

const brief = ({ entries }: { entries: { repo: string; agent: string }[] }) =>
  entries.map(({ repo, agent }) => `${repo}/${agent}`);

test('a roster of three pilots with two agents each gives six runs, whatever hours their crons say', async () => {
  await using root = await engagement();
  const found = await root.discover({ roster_path: ROSTER });
  expect(found.entries).toHaveLength(6);
  expect(found.entries[0]).toEqual({
    repo: 'pilot-a',
    agent: 'coach',
    cadence: 'daily',
    cron: '15 * * * *',
    timezone: 'UTC',
    engagement: 'coulomb-loop',
    due: true,
  });
  expect(found).toMatchObject({ repos_scanned: 3, skipped: [], roster: { source: 'roster_path' } });
});

test('a cadence of hourly is one skipped repository, and the reason says what to write', async () => {
  await using root = await engagement();
  await root.write(`pilot-b/${SCHEDULE}`, PILOT.replace('cadence: daily', 'cadence: hourly'));
  const found = await root.discover({ roster_path: ROSTER });
  expect(found.entries).toHaveLength(4);
  expect(found.repos_scanned).toBe(3);
  expect(found.skipped).toEqual([
    {
      repo: 'pilot-b',
      reason:
        'invalid_cadence: .kaizen/schedule.yml:4:30 schedules[0].cadence: expected one of `daily`, `weekly`, `monthly`, ' +
        'found the text `hourly`; to run every hour keep `cadence: daily` and put the hours into `cron`, as in `15 * * * *`',
    },
  ]);
});

test('what is bound has the fields of the contract and no others, and its schema describes it', async () => {
  await using root = await engagement({ 'pilot-b/.kaizen/schedule.yml': 'version: 2\n' });
  await root.write(`pilot-b/${SCHEDULE}`, 'version: 2\n');
  const resolvers = createResolvers({ kaizenReposRoot: root.path, kaizenEngagementRoster: root.in(ROSTER) });
  const { definitions } = await loadDefinitions('definitions', resolvers);
  const shipped = definitions.find(({ definition }) => definition.id === 'hourly-coach-orientation');
  if (!shipped) throw new Error('it does not ship');
  const run = { run_id: 'r', definition_id: 'd', scheduled_for: '2026-11-20T08:15:00Z', date: '2026-11-20' };
  const coach = (repo: string) => ({
    repo,
    agent: 'coach',
    cadence: 'daily',
    cron: '15 * * * *',
    engagement: 'coulomb-loop',
    due: true,
  });
  expect(await resolveContext(shipped.compiled, resolvers, { event: null, run })).toEqual({
    ok: true,
    context: {
      repos: {
        runs: [coach('pilot-a'), coach('pilot-c')],
        repos_scanned: 3,
        skipped: [{ repo: 'pilot-b', reason: expect.stringMatching(/^malformed: /) }],
      },
    },
  });
  const rule = { ...shipped.definition.rules[0]!, condition: 'item.dew' };
  const misspelt = { ...shipped.definition, rules: [rule] };
  const types = contextTypesOf(misspelt, resolvers, null);
  const compiled = compileDefinition(misspelt, {
    eventType: null,
    contextTypes: types.ok ? types.types : {},
    reportTexts: [],
  });
  expect(compiled).toMatchObject({ ok: false, problems: [{ path: ['rules', 0, 'condition'] }] });
});

test.each([
  ['hourly-metrics-optimize', '0 * * * *', ['pilot-a/coach', 'pilot-a/optimization']],
  ['hourly-coach-orientation', '15 * * * *', ['pilot-a/coach']],
  ['hourly-optimization-review', '30 * * * *', ['pilot-a/optimization']],
])('%s ships enabled at `%s` and serves its agents', async (id, cron, agents) => {
  const { definitions } = await loadDefinitions('definitions', createResolvers());
  const shipped = definitions.find(({ definition }) => definition.id === id)?.definition;
  expect(shipped).toMatchObject({ enabled: true, trigger: { schedule: { cron, timezone: 'UTC' } } });
  await using root = await reposRoot({ [`pilot-a/${SCHEDULE}`]: PILOT });
  const params = shipped?.context_sources[0]?.params;
  expect(brief(await root.discover(params))).toEqual(agents);
});

test('runs are in the order of repo, then agent, by code points; what is skipped by repo', async () => {
  const schedule = scheduleOf('{ agent: b, cadence: daily }', '{ agent: B, cadence: daily }');
  const names = ['ｚ', '😀', 'a', 'Z', 'a-b', 'é'];
  await using root = await reposRoot(
    Object.fromEntries(names.map((name) => [`${name}/${SCHEDULE}`, schedule])),
  );
  for (const name of ['y', 'x']) await mkdir(root.in(name));
  const found = await root.discover();
  const expected = ['Z', 'a', 'a-b', 'é', 'ｚ', '😀'].flatMap((name) => [`${name}/B`, `${name}/b`]);
  expect(brief(found)).toEqual(expected);
  expect(found.skipped.map(({ repo }) => repo)).toEqual(['x', 'y']);
});

test('other cadences, other agents and disabled entries are simply not there', async () => {
  const schedule = scheduleOf(
    '{ agent: coach, cadence: weekly }',
    '{ agent: coach, cadence: daily, enabled: false }',
    '{ agent: scribe, cadence: daily }',
    '{ agent: optimization, cadence: daily, enabled: true }',
  );
  await using root = await reposRoot({ [`a/${SCHEDULE}`]: schedule });
  expect(brief(await root.discover())).toEqual(['a/optimization', 'a/scribe']);
  expect(brief(await root.discover({ cadence: 'weekly' }))).toEqual(['a/coach']);
  expect(brief(await root.discover({ agents: ['scribe', 'coach'] }))).toEqual(['a/scribe']);
  expect(await root.discover({ cadence: 'monthly' })).toMatchObject({ entries: [], skipped: [] });
});

test('the agents of a definition stand there once each', () => {
  const { params } = createDiscoverKaizenScheduledRepos({});
  expect(checkShape(params, { cadence: 'daily', agents: ['coach', 'scribe'] })).toMatchObject({ ok: true });
  expect(checkShape(params, { cadence: 'daily', agents: ['coach', 'scribe', 'coach'] })).toEqual({
    ok: false,
    problems: [{ path: ['agents', 2], at: 'value', message: 'the agent `coach` stands here a second time' }],
  });
});

test.each([
  ['cron: "15 * * * *"', '2026-11-20T08:15:00Z', true],
  ['cron: "15 * * * *"', '2026-11-20T08:30:00Z', false],
  ['cron: "0 6 * * *", timezone: Europe/Berlin', '2026-11-20T05:00:00Z', true],
  ['cron: "0 6 * * *", timezone: Europe/Berlin', '2026-07-20T04:00:00Z', true],
  ['cron: "0 6 * * *", timezone: Europe/Berlin', '2026-11-20T06:00:00Z', false],
  ['cron: "0 6 * * *"', '2026-11-20T06:00:00Z', true],
  ['cron: "0 6 * * *"', null, true],
  ['enabled: true', '2026-11-20T08:15:00Z', true],
])('an entry with %s in the run of %s: due is %s', async (fields, scheduledFor, due) => {
  await using root = await reposRoot({
    [`a/${SCHEDULE}`]: scheduleOf(`{ agent: coach, cadence: daily, ${fields} }`),
  });
  const { entries } = await root.discover({}, {}, scheduledFor);
  expect(entries).toMatchObject([{ due }]);
});

test('without a roster every visible folder counts, also through a link that stays inside', async () => {
  await using root = await reposRoot({
    [`a/${SCHEDULE}`]: PILOT,
    [`.hidden/${SCHEDULE}`]: PILOT,
    [`group/nested/${SCHEDULE}`]: PILOT,
    'notes.txt': 'a file',
  });
  await symlink('group/nested', root.in('b'));
  await symlink('notes.txt', root.in('link-to-a-file'));
  const found = await root.discover();
  expect(brief(found)).toEqual(['a/coach', 'a/optimization', 'b/coach', 'b/optimization']);
  expect(found).toMatchObject({
    roster: null,
    repos_scanned: 3,
    skipped: [{ repo: 'group', reason: 'no_schedule: .kaizen/schedule.yml is not there' }],
  });
});

test('five thousand repositories are all found', async () => {
  const names = Array.from({ length: 5000 }, (_, n) => `repo-${String(n).padStart(4, '0')}`);
  await using root = await reposRoot(Object.fromEntries(names.map((name) => [`${name}/${SCHEDULE}`, PILOT])));
  const paths = Object.fromEntries(names.map((name) => [name, `../a-longer-way-round/../${name}`]));
  await root.write('engagement/roster.yaml', rosterOf(paths));
  const found = await root.discover({ roster_path: 'engagement/roster.yaml', agents: ['coach'] });
  expect(brief(found)).toEqual(names.map((name) => `${name}/coach`));
  expect(found).toMatchObject({ repos_scanned: 5000, skipped: [] });
});
