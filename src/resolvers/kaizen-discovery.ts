/**
 * Which agents have a schedule in which repositories (contract 3, discover_kaizen_scheduled_repos).
 * Shared by the context source and by `engagement check`.
 */
import { readdir, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import type { RunFacts } from '../core/decision.ts';
import { firesAt } from '../core/fire-times.ts';
import { quote } from '../core/wording.ts';
import { concurrently } from './concurrently.ts';
import { fileErrorCode, readFileWithin, realPathWithin } from './confined-file.ts';
import { type Roster, type RosterDeps, type RosterParams, readRoster } from './kaizen-roster.ts';
import {
  type Cadence,
  createScheduleReader,
  MAX_SCHEDULE_BYTES,
  SCHEDULE_FILE,
  type ScheduleEntry,
  type ScheduleReading,
} from './kaizen-schedule.ts';
import { ResolverError } from './resolver.ts';

export interface DiscoveryDeps extends RosterDeps {
  kaizenReposRoot?: string | undefined;
}

export interface DiscoveryParams extends RosterParams {
  cadence: Cadence;
  /** Only these. */
  agents?: readonly string[] | undefined;
}

export interface ScheduledEntry extends ScheduleEntry {
  /** The roster's slug; without a roster the folder's name. */
  repo: string;
  engagement: string | null;
  due: boolean;
}

/** `reason` starts with the code, as in `no_schedule: …`. */
export interface SkippedRepo {
  repo: string;
  reason: string;
}

export interface Discovery {
  /** Null where every folder of KAIZEN_REPOS_ROOT was looked at. */
  roster: Pick<Roster, 'source' | 'file' | 'engagement'> | null;
  /** By repo, then agent, in the order of code points. */
  entries: ScheduledEntry[];
  repos_scanned: number;
  /** By repo. */
  skipped: SkippedRepo[];
}

export const READS_AT_ONCE = 32;

/** One bad repository is one entry in `skipped`. @throws ResolverError where root, State Hub or roster fail. */
export async function discoverScheduledRepos(
  deps: DiscoveryDeps,
  params: DiscoveryParams,
  run: Pick<RunFacts, 'scheduled_for'>,
): Promise<Discovery> {
  const root = await realRoot(deps.kaizenReposRoot);
  const roster = await readRoster(deps, params, root);
  const candidates = roster ? candidatesOf(roster) : await foldersIn(root);
  const readSchedule = createScheduleReader();
  const isDue = createIsDue(run.scheduled_for);
  const engagement = params.engagement_slug ?? roster?.engagement ?? null;

  const findings = await concurrently(
    candidates,
    READS_AT_ONCE,
    async ({ repo, place }): Promise<Finding> => {
      if ('reason' in place) return { repo, reason: place.reason };
      const found = await findSchedule(root, place.path, readSchedule);
      if (!found.ok) return { repo, reason: `${found.code}: ${found.message}` };
      const { schedule } = found;
      if (engagement !== null && schedule.engagement !== null && schedule.engagement !== engagement) {
        const message = `${SCHEDULE_FILE} is of the engagement ${quote(schedule.engagement)}, expected ${quote(engagement)}`;
        return { repo, reason: `engagement_mismatch: ${message}` };
      }
      const about = { repo, engagement: schedule.engagement ?? roster?.engagement ?? null };
      return schedule.entries
        .filter(
          ({ cadence, agent }) => cadence === params.cadence && (params.agents?.includes(agent) ?? true),
        )
        .map((entry) => ({ ...entry, ...about, due: isDue(entry) }));
    },
  );

  return {
    roster: roster && { source: roster.source, file: roster.file, engagement: roster.engagement },
    entries: findings
      .flatMap((finding) => ('reason' in finding ? [] : finding))
      .sort((a, b) => compareCodePoints(a.repo, b.repo) || compareCodePoints(a.agent, b.agent)),
    repos_scanned: candidates.length,
    skipped: findings
      .flatMap((finding) => ('reason' in finding ? finding : []))
      .sort((a, b) => compareCodePoints(a.repo, b.repo)),
  };
}

/** A repository to look at, or what speaks against that already. */
interface Candidate {
  repo: string;
  place: { path: string } | { reason: string };
}

type Finding = SkippedRepo | ScheduledEntry[];

async function realRoot(root: string | undefined): Promise<string> {
  if (!root) {
    const message = 'KAIZEN_REPOS_ROOT is not set; set it to the folder that holds the repositories';
    throw new ResolverError('resolver_failed', message);
  }
  const fail = (detail: string) =>
    new ResolverError('resolver_failed', `KAIZEN_REPOS_ROOT names ${root}, which ${detail}`);
  try {
    const real = await realpath(resolve(root));
    if ((await stat(real)).isDirectory()) return real;
  } catch (error) {
    throw fail(`cannot be read (${fileErrorCode(error)})`);
  }
  throw fail('is not a folder');
}

function candidatesOf({ folder, entries }: Roster): Candidate[] {
  const seen = new Set<string>();
  return entries.map((entry): Candidate => {
    const { repo } = entry;
    const skip = (reason: string): Candidate => ({ repo, place: { reason } });
    if ('reason' in entry) return skip(entry.reason);
    const { path } = entry;
    if (seen.has(repo)) return skip(`malformed: the roster names the slug ${quote(repo)} a second time`);
    seen.add(repo);
    if (isAbsolute(path)) {
      return skip(`outside_root: ${quote(path)} is absolute; paths are relative to the roster's folder`);
    }
    return { repo, place: { path: resolve(folder, path) } };
  });
}

/** Links to folders count: whether they lead out is looked at when they are read. */
async function foldersIn(root: string): Promise<Candidate[]> {
  try {
    const found = await readdir(root, { withFileTypes: true });
    const visible = found.filter(
      (one) => !one.name.startsWith('.') && (one.isDirectory() || one.isSymbolicLink()),
    );
    const folders = await concurrently(visible, READS_AT_ONCE, async (one) => {
      const path = join(root, one.name);
      return one.isSymbolicLink() && (await isNoFolder(path)) ? [] : [{ repo: one.name, place: { path } }];
    });
    return folders.flat();
  } catch (error) {
    const code = fileErrorCode(error);
    throw new ResolverError('resolver_failed', `KAIZEN_REPOS_ROOT, ${root}, cannot be listed (${code})`);
  }
}

/** False also where it cannot be told. */
async function isNoFolder(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isDirectory();
  } catch (error) {
    fileErrorCode(error);
    return false;
  }
}

type Found = (ScheduleReading & { ok: true }) | { ok: false; code: string; message: string };

async function findSchedule(
  root: string,
  path: string,
  readSchedule: (bytes: Uint8Array) => ScheduleReading,
): Promise<Found> {
  const folder = await realPathWithin(root, path);
  if (!folder.ok) return { ...folder, message: `the repository's folder ${folder.detail}` };
  const read = await readFileWithin(root, join(folder.path, SCHEDULE_FILE), MAX_SCHEDULE_BYTES);
  if (read.ok) return readSchedule(read.bytes);
  if (await isNoFolder(folder.path)) {
    return { ok: false, code: 'unreadable', message: "the repository's folder is not a folder" };
  }
  return {
    ...read,
    code: read.code === 'missing' ? 'no_schedule' : read.code,
    message: `${SCHEDULE_FILE} ${read.detail}`,
  };
}

/** True without a cron and without a time. Thousands of entries share a few crons. */
function createIsDue(scheduledFor: string | null): (entry: ScheduleEntry) => boolean {
  const known = new Map<string, boolean>();
  return ({ cron, timezone }) => {
    if (scheduledFor === null || cron === null) return true;
    const key = `${timezone} ${cron}`;
    const due = known.get(key) ?? firesAt({ cron, timezone }, Date.parse(scheduledFor));
    known.set(key, due);
    return due;
  };
}

/** `<` compares UTF-16 units, where an emoji stands before U+FFxx. */
function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
