/**
 * Whether what repositories ask for and what definitions do happens at the same times (`engagement check`).
 * A repository's entry is due when its cron fires; a definition that never runs at that time never sees it due.
 */
import { type CronInZone, cronForAll, type MendedCron, mendedCron } from './alignment-mend.ts';
import { createStepCheck, type StepCheck } from './alignment-step.ts';
import type { Timetable } from './fire-times.ts';

export interface Clock {
  cron: string | null;
  every: string | null;
  timezone: string;
}

export interface RepoEntry {
  repo: string;
  agent: string;
  cadence: string;
  cron: string | null;
  timezone: string;
}

/** All of a cadence, whatever the agent. */
export interface DiscoveredRepos {
  /** Null where every folder was looked at. */
  roster: { source: string; file: string } | null;
  entries: RepoEntry[];
  repos_scanned: number;
  skipped: { repo: string; reason: string }[];
}

/** A `discover_kaizen_scheduled_repos` source of a definition that is enabled and has a schedule. */
export interface ScheduledSource {
  definition_id: string;
  file: string;
  schedule: Clock;
  bind_to: string;
  /** Null where it takes every agent. */
  agents: readonly string[] | null;
  found:
    | { kind: 'discovered'; repos: DiscoveredRepos }
    /** It hangs on `{{ }}`, which is rendered in a run. */
    | { kind: 'rendered_later' }
    | { kind: 'failed'; message: string };
}

export interface ComparedSource {
  definition_id: string;
  file: string;
  bind_to: string;
  cron: string | null;
  every: string | null;
  timezone: string;
  agents: readonly string[] | null;
  roster: DiscoveredRepos['roster'];
  repos_scanned: number | null;
  /** `not_compared` says why, else null; then the counts are 0. */
  not_compared: string | null;
  /** The crons of the entries that are compared, each once. */
  wanted: CronInZone[];
  in_step: number;
  out_of_step: number;
}

/** Either side can be mended. */
export interface Mend {
  repository: MendedCron & { file: string; agent: string };
  /** Null where none of the `wanted` crons puts all in step. */
  definition: { file: string; cron: string; timezone: string } | null;
}

export interface OutOfStep extends RepoEntry {
  kind: 'out_of_step';
  /** `never`: the two have no time in common; `partly`: some times of the entry are missed. */
  relation: 'never' | 'partly';
  /** RFC 3339: the next time that the entry fires at and the definition does not. */
  first_missed: string;
  definition_id: string;
  definition: Clock;
  mend: Mend;
}

export type Finding =
  | OutOfStep
  | { kind: 'skipped'; repo: string; reason: string }
  | { kind: 'not_discovered'; definition_id: string; message: string };

export interface Note extends RepoEntry {
  kind: 'unserved_agent';
}

export interface Alignment {
  definitions: ComparedSource[];
  /** How many entries; one that two definitions serve counts twice. */
  in_step: number;
  findings: Finding[];
  /** These do not count. */
  notes: Note[];
}

/** `now`: ms since 1970; the times of the 366 days after it are compared. */
export function alignEngagement(sources: readonly ScheduledSource[], now: number): Alignment {
  const mender = createMender(sources, createStepCheck(now), now);
  const compared = sources.map((source) => compareSource(source, mender));
  return {
    definitions: compared.map(({ source }) => source),
    in_step: compared.reduce((sum, { source }) => sum + source.in_step, 0),
    findings: [...compared.flatMap(({ findings }) => findings), ...skippedIn(sources)],
    notes: unservedIn(sources),
  };
}

interface Mender {
  stepOf: StepCheck;
  repositoryMend(entry: CronInZone, schedule: Clock): MendedCron;
  definitionMend(definitionId: string, schedule: Clock): CronInZone | null;
}

/** Thousands of entries share a few crons, and a definition is mended for all of its sources at once. */
function createMender(sources: readonly ScheduledSource[], stepOf: StepCheck, now: number): Mender {
  const ofDefinition = Map.groupBy(sources, ({ definition_id }) => definition_id);
  const forDefinition = new Map<string, CronInZone | null>();
  const forRepository = new Map<string, MendedCron>();
  return {
    stepOf,
    repositoryMend(entry, schedule) {
      const key = JSON.stringify([entry, schedule]);
      const mended = forRepository.get(key) ?? mendedCron(entry, timetableOf(schedule), stepOf, now);
      forRepository.set(key, mended);
      return mended;
    },
    definitionMend(definitionId, { timezone }) {
      const known = forDefinition.get(definitionId);
      if (known !== undefined) return known;
      const wanted = cronsOf((ofDefinition.get(definitionId) ?? []).flatMap(servedBy));
      const mended = cronForAll(wanted, timezone, stepOf, now);
      forDefinition.set(definitionId, mended);
      return mended;
    },
  };
}

function servedBy({ found, agents }: ScheduledSource): RepoEntry[] {
  if (found.kind !== 'discovered' || agents === null) return [];
  return found.repos.entries.filter(({ agent }) => agents.includes(agent));
}

/** Each once. */
function cronsOf(entries: readonly RepoEntry[]): CronInZone[] {
  const once = new Map<string, CronInZone>();
  for (const { cron, timezone } of entries) {
    if (cron !== null) once.set(`${timezone} ${cron}`, { cron, timezone });
  }
  return [...once.values()];
}

function compareSource(
  source: ScheduledSource,
  mender: Mender,
): { source: ComparedSource; findings: Finding[] } {
  const { definition_id, file, schedule, bind_to, agents, found } = source;
  const repos = found.kind === 'discovered' ? found.repos : null;
  const about: ComparedSource = {
    definition_id,
    file,
    bind_to,
    ...schedule,
    agents,
    roster: repos?.roster ?? null,
    repos_scanned: repos?.repos_scanned ?? null,
    not_compared: null,
    wanted: [],
    in_step: 0,
    out_of_step: 0,
  };
  if (found.kind === 'failed') {
    const finding: Finding = { kind: 'not_discovered', definition_id, message: found.message };
    return {
      source: { ...about, not_compared: 'its repositories cannot be discovered' },
      findings: [finding],
    };
  }
  if (found.kind === 'rendered_later') {
    const reason = 'its params hold {{ }}, which is known in a run only';
    return { source: { ...about, not_compared: reason }, findings: [] };
  }
  if (agents === null) {
    return { source: { ...about, not_compared: 'it serves every agent that is due' }, findings: [] };
  }
  const served = servedBy(source);
  const findings = served.flatMap((entry) => compareEntry(entry, source, mender));
  const counts = {
    wanted: cronsOf(served),
    in_step: served.length - findings.length,
    out_of_step: findings.length,
  };
  return { source: { ...about, ...counts }, findings };
}

function compareEntry(
  entry: RepoEntry,
  { definition_id, file, schedule }: ScheduledSource,
  mender: Mender,
): OutOfStep[] {
  const { cron, timezone } = entry;
  if (cron === null) return [];
  const step = mender.stepOf({ cron, timezone }, timetableOf(schedule));
  if (step.in_step) return [];
  const mended = mender.repositoryMend({ cron, timezone }, schedule);
  const repository = { file: `${entry.repo}/.kaizen/schedule.yml`, agent: entry.agent, ...mended };
  const forAll = mender.definitionMend(definition_id, schedule);
  return [
    {
      kind: 'out_of_step',
      relation: step.relation,
      ...entry,
      first_missed: new Date(step.first_missed).toISOString().replace('.000Z', 'Z'),
      definition_id,
      definition: schedule,
      mend: { repository, definition: forAll && { file, ...forAll } },
    },
  ];
}

export function timetableOf({ cron, every, timezone }: Clock): Timetable {
  return { cron: cron ?? undefined, every: every ?? undefined, timezone };
}

/** Each once, whoever found it. A folder beside others without a roster need not have a schedule. */
function skippedIn(sources: readonly ScheduledSource[]): Finding[] {
  const all = sources.flatMap(({ found }) => {
    if (found.kind !== 'discovered') return [];
    const { roster, skipped } = found.repos;
    return skipped.filter(({ reason }) => roster !== null || codeOf(reason) !== 'no_schedule');
  });
  const once = new Map(all.map(({ repo, reason }) => [`${repo}\n${reason}`, { repo, reason }]));
  return [...once.values()].map(({ repo, reason }) => ({ kind: 'skipped', repo, reason }));
}

/** `no_schedule` of `no_schedule: …`. */
export function codeOf(reason: string): string {
  return reason.split(':', 1)[0] ?? reason;
}

function unservedIn(sources: readonly ScheduledSource[]): Note[] {
  const keyOf = ({ repo, agent, cadence }: RepoEntry) => `${repo}\n${agent}\n${cadence}`;
  const entriesOf = ({ found }: ScheduledSource) => (found.kind === 'discovered' ? found.repos.entries : []);
  const served = new Set(
    sources.flatMap((source) =>
      entriesOf(source)
        .filter(({ agent }) => source.agents?.includes(agent))
        .map(keyOf),
    ),
  );
  const all = new Map(sources.flatMap(entriesOf).map((entry) => [keyOf(entry), entry]));
  return [...all]
    .filter(([key]) => !served.has(key))
    .map(([, { repo, agent, cadence, cron, timezone }]) => ({
      kind: 'unserved_agent',
      repo,
      agent,
      cadence,
      cron,
      timezone,
    }));
}
