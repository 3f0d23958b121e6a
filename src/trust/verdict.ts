/** Whether the newest scheduled runs can be relied on, from what is known of their ticks. Pure. */
import type { TickFacts } from '../store/schedule-ticks.ts';
import {
  EVIDENCE_NAMES,
  type Evidence,
  type EvidenceItem,
  type ShownEvidence,
  type TickState,
  type Trust,
  type TrustFeedback,
  type TrustTick,
} from './evidence.ts';

export interface VerdictInput {
  definition_id: string;
  required: number;
  /** ms since 1970. */
  now: number;
  /** Newest first. */
  ticks: TickFacts[];
  /** At most one for a run. */
  feedback: TrustFeedback[];
  /** Why it cannot be trusted, whatever its ticks are; null where nothing stands against it. */
  obstacle: string | null;
  scheduled: boolean;
  /** RFC 3339: earlier ticks are not among these; null where there is no schedule. */
  counts_from: string | null;
}

/** A run may take this long beyond the latest time at which it could start. */
const RUN_GRACE_MS = 3_600_000;
/** What is looked for in vain is found missing after ten minutes; a worker may be busy meanwhile. */
const COLLECTING_MS = 15 * 60_000;
/** A start takes no longer where things work. */
const STARTING_MS = 60_000;

const MAX_LEADING = 100;

const FEEDBACK_COMMAND = (runId: string): string =>
  `\`activity-core feedback ${runId} --verdict useful|noisy|wrong\``;

export function verdictOf(input: VerdictInput): Trust {
  const { definition_id, required, scheduled, now } = input;
  const ticks = input.ticks.map((tick, at) => trustTick(tick, { now, isNewest: at === 0 }));
  const newestIsAt = leadingPending(input.ticks, now);
  const settled = ticks.slice(newestIsAt);
  const firstNotClean = settled.findIndex(({ state }) => state !== 'clean');
  const clean_streak = firstNotClean === -1 ? settled.length : firstNotClean;
  const newest = settled.filter(isCounted).slice(0, required);
  const feedback = newestFeedback(input.feedback, newest);
  const doubt =
    input.obstacle ??
    doubtAboutTicks(input, settled.slice(0, required)) ??
    (feedback ? null : noFeedback(newest, required));
  const reason = doubt ?? goodNews(required, feedback, newest);
  const trusted = doubt === null;
  return { definition_id, required, trusted, scheduled, reason, clean_streak, feedback, ticks };
}

/** Of ticks newest first: the newest that are pending, and from the newest counted one on until there are `counted` of those. */
export function newestCounted(ticks: readonly TickFacts[], now: number, counted: number): TickFacts[] {
  const isPending = (tick: TickFacts) => stateOf(tick, { now, isNewest: false }).state === 'pending';
  const leading = ticks.slice(0, leadingPending(ticks, now));
  let left = counted;
  const settled = ticks.slice(leading.length).filter((tick) => {
    const isListed = left > 0;
    if (!isPending(tick)) left -= 1;
    return isListed;
  });
  return [...leading.slice(0, MAX_LEADING), ...settled];
}

/**
 * How many of the newest are left out because they are pending. One that has not started does not count as under way where a
 * later one is due already: that is how a schedule looks that nobody works for.
 */
function leadingPending(ticks: readonly TickFacts[], now: number): number {
  const first = ticks.findIndex((tick, at) => {
    const isLate = tick.outcome === null && at > 0 && now > Date.parse(tick.scheduled_for) + STARTING_MS;
    return isLate || stateOf(tick, { now, isNewest: at === 0 }).state !== 'pending';
  });
  return first === -1 ? ticks.length : first;
}

const isCounted = ({ state }: TrustTick): boolean => state !== 'pending';

interface Moment {
  now: number;
  /** Nothing later is due. */
  isNewest: boolean;
}

function trustTick(tick: TickFacts, moment: Moment): TrustTick {
  const { scheduled_for, run_id, evidence } = tick;
  return {
    scheduled_for,
    ...stateOf(tick, moment),
    run_id,
    evidence: shownEvidence(evidence?.items ?? null),
    collected_at: evidence?.collected_at ?? null,
    evidence_hash: evidence?.evidence_hash ?? null,
  };
}

function shownEvidence(items: Evidence | null): TrustTick['evidence'] {
  const shown = (name: (typeof EVIDENCE_NAMES)[number]) => (items ? shownItem(items[name]) : NOT_COLLECTED);
  return {
    temporal_history: shown('temporal_history'),
    activity_run: shown('activity_run'),
    state_hub_progress: shown('state_hub_progress'),
    working_memory_note: shown('working_memory_note'),
  };
}

const NOT_COLLECTED: ShownEvidence = { ok: false, detail: 'not collected', needed: true, unchecked: null };

const shownItem = ({ ok, detail, facts, unchecked }: EvidenceItem): ShownEvidence => ({
  ok,
  detail,
  needed: facts.declared !== false,
  unchecked: unchecked ?? null,
});

interface Stated {
  state: TickState;
  reason: string | null;
}

function stateOf(tick: TickFacts, { now, isNewest }: Moment): Stated {
  const { outcome, reason, deadline } = tick;
  switch (outcome) {
    case 'fired':
      return stateOfRun(tick, now);
    case null:
      if (now <= Date.parse(deadline))
        return {
          state: 'pending',
          reason: `it may still start until ${deadline}${isNewest ? '' : ', although a later one is due: are the worker, the subscriber and Temporal running?'}`,
        };
      return {
        state: 'missed',
        reason: `nothing has recorded it, and it could start until ${deadline}: are the subscriber and Temporal running?`,
      };
    case 'missed':
      return { state: 'missed', reason };
    default:
      return { state: 'missed', reason: reason === null ? outcome : `${outcome}: ${reason}` };
  }
}

function stateOfRun({ run, evidence, deadline }: TickFacts, now: number): Stated {
  if (evidence) return stateOfEvidence(evidence.items);
  if (!run) return { state: 'dirty', reason: 'its run is not on record, and evidence was never collected' };
  if (run.finished_at === null) {
    return now <= Date.parse(deadline) + RUN_GRACE_MS
      ? { state: 'pending', reason: 'its run is running' }
      : { state: 'dirty', reason: 'its run is still running' };
  }
  return now <= Date.parse(run.finished_at) + COLLECTING_MS
    ? { state: 'pending', reason: 'its evidence is being collected' }
    : { state: 'dirty', reason: 'its evidence was never collected: is a worker running?' };
}

function stateOfEvidence(items: Evidence): Stated {
  const faults = EVIDENCE_NAMES.filter((name) => !items[name].ok).map(
    (name) => `${name}: ${items[name].detail}`,
  );
  return faults.length === 0
    ? { state: 'clean', reason: null }
    : { state: 'dirty', reason: faults.join('; ') };
}

function newestFeedback(feedback: TrustFeedback[], ticks: TrustTick[]): TrustFeedback | null {
  const runs = new Set(ticks.map(({ run_id }) => run_id));
  const [newest = null] = feedback
    .filter(({ run_id }) => runs.has(run_id))
    .sort((a, b) => Date.parse(b.at) - Date.parse(a.at));
  return newest;
}

/** `settled`: the newest `required` from the newest counted one on. */
function doubtAboutTicks(
  { ticks, required, counts_from }: VerdictInput,
  settled: TrustTick[],
): string | null {
  if (ticks.length === 0) {
    const since =
      counts_from === null
        ? ''
        : `; it counts from ${counts_from}, when its schedule was enabled or got these times`;
    return `no tick was due yet${since}`;
  }
  const clean = settled.findIndex(({ state }) => state !== 'clean');
  const culprit = settled[clean];
  if (culprit) {
    const since = clean === 0 ? '' : `; ${clean} of ${required} clean ${ticksOf(required)} since`;
    return `${culprit.scheduled_for} is ${culprit.state}: ${culprit.reason}${since}`;
  }
  if (settled.length >= required) return null;
  return `${settled.length} of ${required} clean ${ticksOf(required)} so far`;
}

function noFeedback([newest]: TrustTick[], required: number): string {
  const runs = required === 1 ? 'the last run' : `one of the last ${required} runs`;
  return `no calibration feedback for ${runs}: ${FEEDBACK_COMMAND(newest?.run_id ?? '<run_id>')}`;
}

function goodNews(required: number, feedback: TrustFeedback | null, ticks: TrustTick[]): string {
  const unchecked = new Set(
    ticks.flatMap(({ evidence }) => EVIDENCE_NAMES.flatMap((name) => evidence[name].unchecked ?? [])),
  );
  const asStored = unchecked.size > 0 ? `; not looked at again just now: ${[...unchecked].join('; ')}` : '';
  const runs = required === 1 ? 'the last scheduled run is' : `the last ${required} scheduled runs are`;
  return `${runs} clean, and run ${feedback?.run_id} was called ${feedback?.verdict} at ${feedback?.at}${asStored}`;
}

const ticksOf = (count: number): string => (count === 1 ? 'tick' : 'ticks');
