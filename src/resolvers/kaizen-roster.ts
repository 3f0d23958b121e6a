/** The roster of an engagement: which repositories take part. Found, read and checked; an entry that is wrong is skipped, any other fault fails the resolver. */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type StateHubClient, StateHubError } from '../clients/state-hub.ts';
import { type Fault, type Path, parseDocument, type SourceDocument } from '../core/document.ts';
import type { Json } from '../core/json.ts';
import { checkShape, locateProblem } from '../core/shape.ts';
import { readFileWithin } from './confined-file.ts';
import { NAME, NAME_RULE, tellFaults } from './kaizen-schedule.ts';
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
  entries: RosterEntry[];
}

/** `reason`: why it is skipped; `repo` is then `repos[3]` where the slug is no usable name. */
export type RosterEntry = { repo: string; path: string } | { repo: string; reason: string };

// Other fields are left alone: the file belongs to the engagement, and has other readers.
const rosterSchema = z.object({
  engagement: z.string().min(1).max(200).optional(),
  repos: z.array(z.custom<Json>()),
});

const entrySchema = z.object({ slug: z.string().regex(NAME, NAME_RULE), path: z.string().min(1).max(4096) });

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
  const [confines, path] =
    source === 'KAIZEN_ENGAGEMENT_ROSTER' ? [null, resolve(file)] : [root, resolve(root, file)];
  const read = await readFileWithin(confines, path, MAX_ROSTER_BYTES);
  const about = `the roster ${file} (${source})`;
  if (!read.ok) throw new ResolverError('resolver_failed', `${about} ${read.detail}`);
  const parsed = parseDocument(read.bytes, MAX_ROSTER_BYTES, isInEntry);
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
  const entries = readEntries(file, parsed.document, repos, parsed.spared);
  return { source, file, folder: dirname(path), engagement, entries };
}

/** One bad entry never fails the others. */
function isInEntry(path: Path): boolean {
  return path[0] === 'repos' && typeof path[1] === 'number';
}

function readEntries(
  file: string,
  document: SourceDocument,
  repos: readonly Json[],
  spared: readonly Fault[],
): RosterEntry[] {
  const sparedOf = Map.groupBy(spared, ({ path }) => path[1]);
  return repos.map((value, index): RosterEntry => {
    const shaped = checkShape(entrySchema, value);
    const problems = shaped.ok ? [] : shaped.problems;
    const faults = problems.map((problem) =>
      locateProblem(document, { ...problem, path: ['repos', index, ...problem.path] }),
    );
    const told = sparedOf.get(index) ?? faults;
    if (shaped.ok && told.length === 0) return { repo: shaped.value.slug, path: shaped.value.path };
    const { slug } = entrySchema.pick({ slug: true }).safeParse(value).data ?? {};
    return { repo: slug ?? `repos[${index}]`, reason: `malformed: ${tellFaults(file, told)}` };
  });
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

function malformed(about: string, message: string): ResolverError {
  return new ResolverError('resolver_failed', `${about} is malformed: ${message}`);
}
