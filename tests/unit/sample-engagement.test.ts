import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSurroundings, type Surroundings } from '../../src/cli/dev-surroundings.ts';
import { parseConfig } from '../../src/config.ts';
import { writeSampleEngagement } from '../../src/dev/sample-engagement.ts';
import { discoverScheduledRepos } from '../../src/resolvers/kaizen-discovery.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sample-engagement-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

describe('the sample engagement', () => {
  test('has six daily schedules in three repositories, and nothing is skipped', async () => {
    const { kaizen_repos_root, kaizen_engagement_roster } = await writeSampleEngagement(folder);
    const found = await discoverScheduledRepos(
      { kaizenReposRoot: kaizen_repos_root, kaizenEngagementRoster: kaizen_engagement_roster },
      { cadence: 'daily' },
      { scheduled_for: '2026-11-20T08:15:00Z' },
    );
    expect(found.entries.map(({ repo, agent, cron, due }) => [repo, agent, cron, due])).toEqual(
      ['pilot-a', 'pilot-b', 'pilot-c'].flatMap((repo) => [
        [repo, 'coach', '15 * * * *', true],
        [repo, 'optimization', '30 * * * *', false],
      ]),
    );
    expect({ scanned: found.repos_scanned, skipped: found.skipped }).toEqual({ scanned: 3, skipped: [] });
  });

  test('written again, it keeps what a person changed and does not bring back what they removed', async () => {
    const first = await writeSampleEngagement(folder);
    const changed = join(first.kaizen_repos_root, 'pilot-a/.kaizen/schedule.yml');
    await writeFile(changed, 'mine\n');
    await rm(join(first.kaizen_repos_root, 'pilot-c'), { recursive: true });
    expect(await writeSampleEngagement(folder)).toEqual(first);
    expect(await readFile(changed, 'utf8')).toBe('mine\n');
    expect(await isThere(join(first.kaizen_repos_root, 'pilot-c'))).toBe(false);
  });

  test('a start that a crash broke off is written anew, whole', async () => {
    await mkdir(join(folder, 'repos.new/pilot-a'), { recursive: true });
    const { kaizen_engagement_roster } = await writeSampleEngagement(folder);
    expect(await readFile(kaizen_engagement_roster, 'utf8')).toContain('pilot-c');
    expect(await isThere(join(folder, 'repos.new'))).toBe(false);
  });
});

describe('what dev puts in the place of unset settings', () => {
  async function opened(environment: Record<string, string>): Promise<Surroundings & AsyncDisposable> {
    const surroundings = await openSurroundings(parseConfig(environment), folder);
    return { ...surroundings, [Symbol.asyncDispose]: surroundings.close };
  }
  const rosterOf = async (url: string | undefined) =>
    (await fetch(`${url}/engagements/coulomb-loop`)).json() as Promise<{ roster_path?: string }>;

  test('nothing is set: the sample engagement and a State Hub that knows its roster', async () => {
    await using dev = await opened({});
    const { KAIZEN_REPOS_ROOT = '', KAIZEN_ENGAGEMENT_ROSTER, STATE_HUB_URL } = dev.settings;
    const { roster_path = '' } = await rosterOf(STATE_HUB_URL);
    expect(join(KAIZEN_REPOS_ROOT, roster_path)).toBe(KAIZEN_ENGAGEMENT_ROSTER);
    expect(await isThere(KAIZEN_ENGAGEMENT_ROSTER ?? '')).toBe(true);
    expect(dev.told.flat().join('\n')).toContain('(a sample; KAIZEN_REPOS_ROOT names yours)');
    expect(dev.told.flat().join('\n')).toContain(`${STATE_HUB_URL}   (a stand-in;`);
  });

  test('KAIZEN_REPOS_ROOT is set: nothing is written, and the stand-in knows no engagement', async () => {
    await using dev = await opened({ KAIZEN_REPOS_ROOT: '/srv/repos' });
    expect(dev.settings).toMatchObject({
      KAIZEN_REPOS_ROOT: '/srv/repos',
      KAIZEN_ENGAGEMENT_ROSTER: undefined,
    });
    expect(await isThere(join(folder, 'sample-engagement'))).toBe(false);
    expect((await rosterOf(dev.settings.STATE_HUB_URL)).roster_path).toBeUndefined();
  });

  test('a roster that is set stays the roster', async () => {
    await using dev = await opened({ KAIZEN_ENGAGEMENT_ROSTER: '/srv/roster.yaml' });
    expect(dev.settings.KAIZEN_ENGAGEMENT_ROSTER).toBe('/srv/roster.yaml');
    expect((await rosterOf(dev.settings.STATE_HUB_URL)).roster_path).toBeUndefined();
  });

  test('all is set: nothing stands in for anything', async () => {
    const environment = {
      KAIZEN_REPOS_ROOT: '/srv/repos',
      STATE_HUB_URL: 'http://hub.example',
      ISSUE_CORE_URL: 'http://issues.example',
      LLM_CONNECT_URL: 'http://llm.example',
      WORKING_MEMORY_DIR: 'notes',
    };
    await using dev = await opened(environment);
    expect(dev.settings).toMatchObject(environment);
    expect(dev.told).toEqual([]);
  });
});
