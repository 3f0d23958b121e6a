/** A throw-away KAIZEN_REPOS_ROOT. */
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type DiscoveryDeps,
  type DiscoveryParams,
  discoverScheduledRepos,
} from '../../src/resolvers/kaizen-discovery.ts';

export const PILOT = `version: 1
engagement: coulomb-loop
schedules:
  - { agent: coach, cadence: daily, cron: "15 * * * *" }
  - { agent: optimization, cadence: daily, cron: "30 * * * *" }
`;

export const SCHEDULE = '.kaizen/schedule.yml';

/** A schedule whose entries are these, in YAML's flow style. */
export const scheduleOf = (...entries: string[]): string =>
  `version: 1\nschedules:\n${entries.map((entry) => `  - ${entry}\n`).join('')}`;

export const rosterOf = (repos: Record<string, string>, engagement = 'coulomb-loop'): string =>
  `engagement: ${engagement}\nrepos:\n${Object.entries(repos)
    .map(([slug, path]) => `  - { slug: ${slug}, path: ${JSON.stringify(path)} }\n`)
    .join('')}`;

export interface ReposRoot extends AsyncDisposable {
  path: string;
  /** Beside the root, and so outside it. */
  outside: string;
  in(name: string): string;
  write(name: string, content: string | Uint8Array): Promise<void>;
  discover(
    params?: Partial<DiscoveryParams>,
    deps?: DiscoveryDeps,
    scheduledFor?: string | null,
  ): ReturnType<typeof discoverScheduledRepos>;
}

/** `files`: by their path in the root. */
export async function reposRoot(files: Record<string, string | Uint8Array> = {}): Promise<ReposRoot> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'repos-')));
  const path = join(base, 'root');
  const outside = join(base, 'outside');
  const write = async (name: string, content: string | Uint8Array) => {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), content);
  };
  await mkdir(path);
  await mkdir(outside);
  for (const [name, content] of Object.entries(files)) await write(name, content);
  return {
    path,
    outside,
    in: (name) => join(path, name),
    write,
    discover: (params, deps, scheduled_for = null) =>
      discoverScheduledRepos(
        { kaizenReposRoot: path, ...deps },
        { cadence: 'daily', ...params },
        { scheduled_for },
      ),
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  };
}
