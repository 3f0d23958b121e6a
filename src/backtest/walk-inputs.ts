/** Recorded inputs in their order, and times of a schedule that have none, each decided once and counted. */
import type { Definition, ScheduleTrigger } from '../core/definition.ts';
import { fireTimesBetween } from '../core/fire-times.ts';
import { type KeptRules, NO_RULES } from './kept-rules.ts';
import { type InputsApi, readInputs } from './read-inputs.ts';
import { type Input, tickAt } from './recorded-outcome.ts';
import type { Replay } from './replay.ts';
import type { Tally } from './tally.ts';

/** What the walks share. */
export interface Walk {
  api: InputsApi;
  definition: Definition;
  applied: Definition | null;
  since: string;
  until: string;
  /** Whether what sources and models answered is needed. */
  context: boolean;
  /** No input starts a run any more. */
  isOff: boolean;
  read: number;
  replay: Replay;
  keptRules: KeptRules;
  tally: Tally;
  onProgress(read: number, at: string): void;
}

/** Returns how many were read. */
export async function walkEvents(walk: Walk): Promise<number> {
  const { definition, applied } = walk;
  const type = definition.trigger.event?.type;
  const appliedType = applied?.trigger.event?.type;
  // What is applied now would have decided these as well, had it been there and enabled.
  const decidesAlready = applied?.enabled === true && type === appliedType;
  let count = 0;
  for (const one of new Set([type, appliedType])) {
    if (one === undefined) continue;
    for await (const page of readInputs(walk.api, { ...walk, type: one })) {
      for (const event of page) {
        const isUndecided = event.recorded.outcome === 'not_decided';
        if (isUndecided && (one !== type || decidesAlready || walk.isOff)) walk.tally.passOver('not_decided');
        else await decide(walk, event, one === type ? null : 'not_triggered');
      }
      count += page.length;
      tellProgress(walk, page);
    }
  }
  return count;
}

/**
 * Where the file has another schedule, its own times are walked along: those on record may be off it, and it may have others.
 * Returns how many ticks were read.
 */
export async function walkTicks(walk: Walk): Promise<number> {
  const { definition, tally } = walk;
  const schedule = definition.trigger.schedule;
  const grid = schedule && !walk.isOff && hasOtherTimes(walk) ? timesOf(schedule, walk) : null;
  const isApplied = createIsApplied(walk);
  const decideUnrecorded = async (time: number): Promise<void> => {
    // It was not applied yet then, or disabled, or its outcome is not on record yet.
    if (isApplied(time)) tally.passOver('not_decided');
    else await decide(walk, newTick(time), null);
  };
  let due = grid?.next().value;
  let count = 0;
  for await (const page of readInputs(walk.api, { ...walk, type: null })) {
    for (const tick of page) {
      const at = Date.parse(tick.at);
      for (; due !== undefined && due < at; due = grid?.next().value) await decideUnrecorded(due);
      const isDue = grid === null || due === at;
      if (due === at) due = grid?.next().value;
      if (tick.recorded.compares === 'no') tally.passOver(tick.recorded.outcome);
      else if (schedule) await decide(walk, tick, isDue ? null : 'not_due');
      else await decide(walk, tick, 'not_triggered');
    }
    count += page.length;
    tellProgress(walk, page);
  }
  for (; due !== undefined; due = grid?.next().value) await decideUnrecorded(due);
  return count;
}

export function hasOtherTimes({ definition, applied }: Pick<Walk, 'definition' | 'applied'>): boolean {
  const before = appliedSchedule(applied);
  const after = definition.trigger.schedule;
  return (['cron', 'every', 'timezone'] as const).some((field) => before?.[field] !== after?.[field]);
}

const appliedSchedule = (applied: Definition | null): ScheduleTrigger | undefined =>
  applied?.enabled ? applied.trigger.schedule : undefined;

/** Whether the applied schedule has a time too. Asked in ascending order. */
function createIsApplied(walk: Walk): (time: number) => boolean {
  const schedule = appliedSchedule(walk.applied);
  const times = schedule ? timesOf(schedule, walk) : null;
  let next = times?.next().value;
  return (time) => {
    while (next !== undefined && next < time) next = times?.next().value;
    return next === time;
  };
}

function timesOf(schedule: ScheduleTrigger, { since, until }: Walk): Iterator<number, undefined> {
  const times = fireTimesBetween(schedule, Date.parse(since) - 1, Date.parse(until) - 1);
  return times as Iterator<number, undefined>;
}

const newTick = (at: number): Input => tickAt(new Date(at).toISOString().replace('.000Z', 'Z'));

/** `never`: why the file has nothing to do with it. */
async function decide(walk: Walk, input: Input, never: string | null): Promise<void> {
  const { replay, keptRules, tally } = walk;
  if (input.recorded.compares === 'no') return tally.passOver(input.recorded.outcome);
  const outcome = never ?? (walk.isOff ? 'disabled' : null);
  if (outcome) return tally.compare(input, { outcome, rules: [], tasks: [], error: null }, NO_RULES);
  const replayed = await replay(input);
  if ('now' in replayed) tally.compare(input, replayed.now, await keptRules(input.recorded));
  else if ('obstacle' in replayed) tally.cannotTell(input, replayed.obstacle);
  else tally.passOver(replayed.uncomparable);
}

function tellProgress(walk: Walk, page: Input[]): void {
  walk.read += page.length;
  const last = page.at(-1);
  if (last) walk.onProgress(walk.read, last.at);
}
