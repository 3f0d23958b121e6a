/** The roster of an engagement: which repositories take part. Found, read and checked; any fault fails the resolver. */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type StateHubClient, StateHubError } from '../clients/state-hub.ts';
import { parseDocument } from '../core/document.ts';
import { checkShape, locateProblem } from '../core/shape.ts';
import { type FileBytes, readRegularFile, realPathWithin } from './confined-file.ts';
import { tellFaults } from './kaizen-schedule.ts';
import { ResolverError } from './resolver.ts';

/** Enough for ten thousand repositories. */
const MAX_ROSTER_BYTES = 2 * 1024 * 1024;

export interface RosterDeps {
  kaizenEngagementRoster?: string | undefined;
  stateHub?: StateHubClient | undefined;
}

export interface RosterParams {
  engagement_slug?: string | undefined;
  roster_path?: string | undefined;
}

export type RosterSource = 'roster_path' | 'state-hub' | 'KAIZEN_ENGAGEMENT_ROSTER';

export interface Roster {
  source: RosterSource;
  /** As it was named. */
  file: string;
  /** What the repositories' paths are relative to. */
  folder: string;
  engagement: string | null;
  repos: { slug: string; path: string }[];
}

// Other fields are left alone: the file belongs to the engagement, and has other readers.
const rosterSchema = z.object({
  engagement: z.string().min(1).max(200).optional(),
  repos: z.array(z.object({ slug: z.string().min(1).max(200), path: z.string().min(1).max(4096) })),
});

/** Null where none is named. `root`: the real path of KAIZEN_REPOS_ROOT. @throws ResolverError */
export async function readRoster(
  deps: RosterDeps,
  params: RosterParams,
  root: string,
): Promise<Roster | null> {
  const named = await nameOfRoster(deps, params);
  if (!named) return null;
  const { source, file } = named;
  // The operator's own file may lie anywhere; a path out of a definition or State Hub may not.
  const path = source === 'KAIZEN_ENGAGEMENT_ROSTER' ? resolve(file) : resolve(root, file);
  const read = await readNamed(source, path, root);
  const about = `the roster ${file} (${source})`;
  if (!read.ok) throw new ResolverError('resolver_failed', `${about} ${read.detail}`);
  const parsed = parseDocument(read.bytes, MAX_ROSTER_BYTES);
  if (!parsed.ok) throw malformed(about, tellFaults(file, parsed.faults));
  const shaped = checkShape(rosterSchema, parsed.document.value);
  if (!shaped.ok) {
    const faults = shaped.problems.map((problem) => locateProblem(parsed.document, problem));
    throw malformed(about, tellFaults(file, faults));
  }
  const { engagement = null, repos } = shaped.value;
  const wanted = params.engagement_slug;
  if (wanted !== undefined && engagement !== null && engagement !== wanted) {
    const message = `${about} is of the engagement \`${engagement}\`; engagement_slug asks for \`${wanted}\``;
    throw new ResolverError('resolver_failed', message);
  }
  return { source, file, folder: dirname(path), engagement, repos };
}

/** Contract 3, "first found". */
async function nameOfRoster(
  { stateHub, kaizenEngagementRoster }: RosterDeps,
  { roster_path, engagement_slug }: RosterParams,
): Promise<{ source: RosterSource; file: string } | null> {
  if (roster_path !== undefined) return { source: 'roster_path', file: roster_path };
  if (engagement_slug !== undefined) {
    if (!stateHub && !kaizenEngagementRoster) {
      const message =
        'engagement_slug needs a roster; set STATE_HUB_URL, which knows its path, or KAIZEN_ENGAGEMENT_ROSTER';
      throw new ResolverError('resolver_failed', message);
    }
    const file = stateHub ? await askStateHub(stateHub, engagement_slug) : null;
    if (file !== null) return { source: 'state-hub', file };
  }
  return kaizenEngagementRoster ? { source: 'KAIZEN_ENGAGEMENT_ROSTER', file: kaizenEngagementRoster } : null;
}

async function askStateHub(stateHub: StateHubClient, slug: string): Promise<string | null> {
  try {
    return (await stateHub.getEngagement(slug))?.roster_path ?? null;
  } catch (error) {
    if (!(error instanceof StateHubError)) throw error;
    const { message, retryable } = error;
    throw new ResolverError('resolver_failed', message, { cause: error, retryable });
  }
}

async function readNamed(source: RosterSource, path: string, root: string): Promise<FileBytes> {
  const real = await realPathWithin(source === 'KAIZEN_ENGAGEMENT_ROSTER' ? null : root, path);
  return real.ok ? readRegularFile(real.path, MAX_ROSTER_BYTES) : real;
}

function malformed(about: string, message: string): ResolverError {
  return new ResolverError('resolver_failed', `${about} is malformed: ${message}`);
}
