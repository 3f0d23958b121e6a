import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeSampleEngagement } from '../../src/dev/sample-engagement.ts';
import { startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';
import { type CapturedCli, captureCli } from '../setup/captured-cli.ts';
import { definitionFolder } from './definition-folder.ts';

let folder: string;
let environment: Record<string, string>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engagement-check-'));
  const sample = await writeSampleEngagement(folder);
  environment = {
    KAIZEN_REPOS_ROOT: sample.kaizen_repos_root,
    KAIZEN_ENGAGEMENT_ROSTER: sample.kaizen_engagement_roster,
  };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const check = (argv: string[] = [], more: Record<string, string> = {}): Promise<CapturedCli> =>
  captureCli(['engagement', 'check', ...argv], {
    environment: { ...environment, ...more },
    now: new Date('2026-11-20T08:00:00Z'),
  });

async function schedule(repo: string, ...entries: string[]): Promise<void> {
  const file = join(folder, 'repos', repo, '.kaizen/schedule.yml');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(
    file,
    ['version: 1', 'schedules:', ...entries.map((entry) => `  - ${entry}`), ''].join('\n'),
  );
}

const definition = (id: string, schedule: string, params: string) => `id: ${id}
title: A definition
owner: kaizen
trigger: { schedule: { ${schedule} } }
context_sources:
  - { type: discover_kaizen_scheduled_repos, bind_to: context.repos, params: ${params} }
`;

describe('the shipped definitions', () => {
  test('are in step with the sample engagement', async () => {
    const { exitCode, out, err } = await check();
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    expect(out).toMatch(/^hourly-coach-orientation +15 \* \* \* \* UTC +coach +3 +3 in step$/m);
    expect(out).toMatch(/^hourly-metrics-optimize .* not compared: it serves every agent that is due$/m);
    expect(out).toMatch(/^hourly-optimization-review +30 \* \* \* \* UTC +optimization +3 +3 in step$/m);
    expect(out).toMatch(/^6 schedules in step, nothing to mend$/m);
  });

  test('a repository at another minute is told with how to mend it', async () => {
    await schedule('pilot-b', '{ agent: coach, cadence: daily, cron: "20 * * * *" }');
    const { exitCode, out } = await check();
    expect(exitCode).toBe(1);
    expect(out).toContain(`pilot-b, coach: never in step with hourly-coach-orientation
  repository    20 * * * * UTC (daily)
  definition    15 * * * * UTC
  first missed  2026-11-20T08:20:00Z: the repository is due, the definition does not run
  mend          in pilot-b/.kaizen/schedule.yml, agent coach: set the cron to "15 * * * *" (timezone UTC)
  or            none of the repositories' crons suits all; the definition would have to fire at each of these: 15 * * * * UTC, 20 * * * * UTC`);
    expect(out).toMatch(/^4 schedules in step, 1 finding to mend$/m);
  });

  test('where all repositories agree, the definition may be mended instead', async () => {
    for (const repo of ['pilot-a', 'pilot-b', 'pilot-c']) {
      await schedule(repo, '{ agent: coach, cadence: daily, cron: "20 6 * * *", timezone: Europe/Berlin }');
    }
    const { exitCode, out } = await check();
    expect(exitCode).toBe(1);
    expect(out).toContain('set the cron to "15 6 * * *" (timezone Europe/Berlin)');
    expect(out).toContain(
      'in definitions/hourly-coach-orientation.yaml: set trigger.schedule.cron to "20 6 * * *" (timezone Europe/Berlin)',
    );
  });

  test('a cron of one repository that suits all is proposed, and what the other mend would change is told', async () => {
    await schedule('pilot-b', '{ agent: coach, cadence: daily, cron: "15,45 * * * *" }');
    await schedule(
      'pilot-c',
      '{ agent: coach, cadence: daily, cron: "15 6 * * *", timezone: Europe/Berlin }',
    );
    const { exitCode, out } = await check();
    expect(exitCode).toBe(1);
    expect(out).toContain('set the cron to "15 * * * *" (timezone UTC); this makes it due half as often');
    expect(out).toContain('set trigger.schedule.cron to "15,45 * * * *" (timezone UTC)');
  });

  test('a skipped repository is told with its reason and what to do', async () => {
    await schedule('pilot-c', '{ agent: coach, cadence: hourly, cron: "15 * * * *" }');
    const { exitCode, out } = await check();
    expect(exitCode).toBe(1);
    expect(out).toContain('pilot-c: is skipped\n  reason  invalid_cadence: .kaizen/schedule.yml:3:30');
    expect(out).toContain('  mend    write daily, weekly or monthly; every hour is `cadence: daily`');
  });

  test('an agent that nobody serves is a note, and does not count', async () => {
    await schedule('pilot-a', '{ agent: scribe, cadence: daily, cron: "0 6 * * *" }');
    const { exitCode, out } = await check();
    expect(exitCode).toBe(0);
    expect(out).toContain('no enabled definition names these agents\n  scribe (daily): pilot-a at 0 6 * * *');
  });
});

test('--json tells definitions, findings and notes', async () => {
  await schedule('pilot-b', '{ agent: coach, cadence: daily, cron: "20 * * * *" }');
  const { exitCode, out } = await check(['--json']);
  const { definitions, in_step, findings, notes } = JSON.parse(out);
  expect({ exitCode, in_step, notes }).toEqual({ exitCode: 1, in_step: 4, notes: [] });
  expect(definitions.map(({ definition_id }: { definition_id: string }) => definition_id)).toEqual([
    'hourly-coach-orientation',
    'hourly-metrics-optimize',
    'hourly-optimization-review',
  ]);
  expect(findings).toMatchObject([
    { kind: 'out_of_step', relation: 'never', repo: 'pilot-b', agent: 'coach', mend: { definition: null } },
  ]);
});

describe('which definitions are looked at', () => {
  test('only enabled ones with a schedule; params with templates are not compared', async () => {
    await using definitions = await definitionFolder({
      'compared.yaml': definition('compared', 'cron: "20 * * * *"', '{ cadence: daily, agents: [coach] }'),
      'rendered.yaml': definition(
        'rendered',
        'every: 1h',
        '{ cadence: daily, roster_path: "{{ run.date }}.yaml" }',
      ),
      'disabled.yaml': `enabled: false\n${definition('disabled', 'every: 1h', '{ cadence: daily }')}`,
      'by-hand.yaml': definition('by-hand', 'every: 1h', '{ cadence: daily }').replace(
        /schedule: \{.*\} \}/,
        'manual: {} }',
      ),
    });
    const { exitCode, out } = await check([], { DEFINITIONS_DIR: definitions.path });
    expect(exitCode).toBe(1);
    expect(out).toMatch(/^compared .* 0 in step, 3 out of step$/m);
    expect(out).toMatch(/^rendered +every 1h .* not compared: its params hold \{\{ \}\}/m);
    expect(out).not.toMatch(/disabled|by-hand/);
  });

  test('without any that discovers repositories there is nothing to compare', async () => {
    await using definitions = await definitionFolder({
      'disabled.yaml': `enabled: false\n${definition('disabled', 'every: 1h', '{ cadence: daily }')}`,
    });
    const { exitCode, out } = await check([], { DEFINITIONS_DIR: definitions.path });
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: expect.stringContaining('nothing to compare') });
  });

  test('a folder without definitions ends with 2, and what to set', async () => {
    await using definitions = await definitionFolder({});
    const { exitCode, out, err } = await check([], { DEFINITIONS_DIR: definitions.path });
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toMatch(/^error: the folder .* has no definitions, .*; set DEFINITIONS_DIR to the folder/);
  });

  test.each([[[]], [['--json']]])(
    'an invalid file is told as validate does, and nothing is compared (%j)',
    async (argv) => {
      await using definitions = await definitionFolder({
        'bad.yaml': definition('bad', 'cron: "61 * * * *"', '{ cadence: daily }'),
      });
      const { exitCode, out, err } = await check(argv, { DEFINITIONS_DIR: definitions.path });
      expect(exitCode).toBe(1);
      expect(err).toMatch(/bad\.yaml:4:\d+ trigger\.schedule\.cron: /);
      expect(out).toMatch(argv.length > 0 ? /"errors": \[\n +\{/ : /^$/);
    },
  );
});

describe('where repositories are found', () => {
  test('State Hub names the roster of a slug', async () => {
    await using definitions = await definitionFolder({
      'slugged.yaml': definition(
        'slugged',
        'cron: "15 * * * *"',
        '{ cadence: daily, engagement_slug: coulomb-loop, agents: [coach] }',
      ),
    });
    const hub = await startStateHubStandIn({
      engagements: { 'coulomb-loop': { roster_path: 'coulomb-loop/loops/kaizen-stack/roster.yaml' } },
    });
    try {
      const { exitCode, out } = await check(['--json'], {
        DEFINITIONS_DIR: definitions.path,
        KAIZEN_ENGAGEMENT_ROSTER: '',
        STATE_HUB_URL: hub.url,
      });
      expect({ exitCode, ...JSON.parse(out) }).toMatchObject({
        exitCode: 0,
        in_step: 3,
        definitions: [{ roster: { source: 'state-hub' }, repos_scanned: 3 }],
      });
    } finally {
      await hub.close();
    }
  });

  test('a roster that is not there ends with 2, and says which definition it is', async () => {
    const { exitCode, out } = await check([], { KAIZEN_ENGAGEMENT_ROSTER: join(folder, 'none.yaml') });
    expect(exitCode).toBe(2);
    expect(out).toContain('hourly-coach-orientation: its repositories cannot be discovered\n');
    expect(out).toContain('none.yaml');
  });

  test('nothing is set and no dev instance runs: 2, with what to set', async () => {
    const { exitCode, out, err } = await check([], { KAIZEN_REPOS_ROOT: '', KAIZEN_ENGAGEMENT_ROSTER: '' });
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toContain('error: KAIZEN_REPOS_ROOT is not set');
  });

  test('nothing is set: the engagement of the running dev instance is used', async () => {
    await writeFile(
      join(folder, 'dev.json'),
      JSON.stringify({
        api_url: 'http://127.0.0.1:1',
        nats_url: 'nats://127.0.0.1:1',
        pid: 1,
        kaizen_repos_root: environment.KAIZEN_REPOS_ROOT,
        kaizen_engagement_roster: environment.KAIZEN_ENGAGEMENT_ROSTER,
      }),
    );
    const { exitCode, out } = await captureCli(['engagement', 'check'], { stateDir: folder });
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: expect.stringContaining('6 schedules in step') });
  });
});
