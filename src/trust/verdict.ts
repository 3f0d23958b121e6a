/** Whether the newest scheduled runs can be relied on, from what is known of their ticks. Pure. */
import type { TickFacts } from '../store/schedule-ticks.ts';
import {
  EVIDENCE_NAMES,
  type Evidence,
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
}

/** A run may take this long beyond the latest time at which it could start. */
const RUN_GRACE_MS = 3_600_000;
/** What is looked for in vain is found missing after ten minutes; a worker may be busy meanwhile. */
const COLLECTING_MS = 15 * 60_000;

const MAX_LEADING = 100;

const FEEDBACK_COMMAND = (runId: string): string =>
  `\`activity-core feedback ${runId} --verdict useful|noisy|wrong\``;

export function verdictOf(input: VerdictInput): Trust {
  const { definition_id, required, now } = input;
  const ticks = input.ticks.map((tick) => trustTick(tick, now));
  const newestIsAt = ticks.findIndex(isCounted);
  const settled = newestIsAt === -1 ? [] : ticks.slice(newestIsAt);
  const firstNotClean = settled.findIndex(({ state }) => state !== 'clean');
  const clean_streak = firstNotClean === -1 ? settled.length : firstNotClean;
  const newest = settled.filter(isCounted).slice(0, required);
  const feedback = newestFeedback(input.feedback, newest);
  const doubt =
    input.obstacle ??
    doubtAboutTicks(ticks, settled.slice(0, required), required) ??
    (feedback ? null : noFeedback(newest, required));
  const reason = doubt ?? goodNews(required, feedback);
  return { definition_id, required, trusted: doubt === null, reason, clean_streak, feedback, ticks };
}

/** Of ticks newest first: the newest that are pending, and from the newest counted one on until there are `counted` of those. */
export function newestCounted(ticks: readonly TickFacts[], now: number, counted: number): TickFacts[] {
  const isPending = (tick: TickFacts) => stateOf(tick, now).state === 'pending';
  const newestIsAt = ticks.findIndex((tick) => !isPending(tick));
  const leading = newestIsAt === -1 ? ticks : ticks.slice(0, newestIsAt);
  let left = counted;
  const settled = ticks.slice(leading.length).filter((tick) => {
    const isListed = left > 0;
    if (!isPending(tick)) left -= 1;
    return isListed;
  });
  return [...leading.slice(0, MAX_LEADING), ...settled];
}

const isCounted = ({ state }: TrustTick): boolean => state !== 'pending';

function trustTick(tick: TickFacts, now: number): TrustTick {
  const { scheduled_for, run_id, evidence } = tick;
  return {
    scheduled_for,
    ...stateOf(tick, now),
    run_id,
    evidence: shownEvidence(evidence?.items ?? null),
    collected_at: evidence?.collected_at ?? null,
    evidence_hash: evidence?.evidence_hash ?? null,
  };
}

function shownEvidence(items: Evidence | null): TrustTick['evidence'] {
  const shown = (name: (typeof EVIDENCE_NAMES)[number]) =>
    items ? { ok: items[name].ok, detail: items[name].detail } : { ok: false, detail: 'not collected' };
  return {
    temporal_history: shown('temporal_history'),
    activity_run: shown('activity_run'),
    state_hub_progress: shown('state_hub_progress'),
    working_memory_note: shown('working_memory_note'),
  };
}

interface Stated {
  state: TickState;
  reason: string | null;
}

function stateOf(tick: TickFacts, now: number): Stated {
  const { outcome, reason, deadline } = tick;
  switch (outcome) {
    case 'fired':
      return stateOfRun(tick, now);
    case null:
      if (now <= Date.parse(deadline))
        return { state: 'pending', reason: `it may still start until ${deadline}` };
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
function doubtAboutTicks(ticks: TrustTick[], settled: TrustTick[], required: number): string | null {
  if (ticks.length === 0) return 'no tick was due yet';
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

function goodNews(required: number, feedback: TrustFeedback | null): string {
  const runs = required === 1 ? 'the last scheduled run is' : `the last ${required} scheduled runs are`;
  return `${runs} clean, and run ${feedback?.run_id} was called ${feedback?.verdict} at ${feedback?.at}`;
}

const ticksOf = (count: number): string => (count === 1 ? 'tick' : 'ticks');
