/** A definition file over what is on record: read in pages, decided again here, compared. Nothing is written or sent. */
import type { ActivityCoreApi } from '../clients/activity-core-api.ts';
import type { OnRecord } from '../clients/activity-core-api-backtest.ts';
import { type Definition, triggerKind } from '../core/definition.ts';
import { fireTimesBetween } from '../core/fire-times.ts';
import type { LoadedDefinition } from '../definitions/check.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { readInputs } from './read-inputs.ts';
import { type Input, tickAt } from './recorded-outcome.ts';
import { createReplay, needsContext, type Replay } from './replay.ts';
import type { BacktestReport, Note } from './report.ts';
import { createTally, type Tally } from './tally.ts';

export type RecordApi = Pick<
  ActivityCoreApi,
  'getOnRecord' | 'getRevision' | 'listRecordedEvents' | 'listRecordedTicks'
>;

export interface BacktestInput {
  api: RecordApi;
  loaded: LoadedDefinition;
  resolvers: Resolvers;
  /** RFC 3339. */
  since: string;
  /** Null: until now, by the service's clock. */
  until: string | null;
  /** For each difference. */
  examples: number;
  /** After each page. */
  onProgress(read: number, at: string): void;
}

/** It has a manual trigger, and no other is applied: nothing that it would be started by is on record. */
export class NothingToReplayError extends Error {
  override name = 'NothingToReplayError';
}

/** What the walks share. */
interface Walk {
  definition: Definition;
  applied: Definition | null;
  since: string;
  until: string;
  /** Why no input starts a run any more; null where it may. */
  isOff: boolean;
  read: number;
  replay: Replay;
  tally: Tally;
}

/** @throws NothingToReplayError, and what the API client throws */
export async function runBacktest(input: BacktestInput): Promise<BacktestReport> {
  const { api, loaded, resolvers, examples } = input;
  const { definition, definition_hash, file } = loaded;
  const onRecord = await api.getOnRecord(definition.id);
  const applied = onRecord.current?.document ?? null;
  const kinds = new Set([triggerKind(definition), ...(applied ? [triggerKind(applied)] : [])]);
  if (kinds.size === 1 && kinds.has('manual'))
    throw new NothingToReplayError(
      `${file} has a manual trigger: no event and no tick starts it, so nothing is on record to replay; try dry-run`,
    );
  const { since, until, asked_since } = windowOf(input, onRecord);
  const walk: Walk = {
    ...{ definition, applied, since, until, read: 0 },
    isOff: !definition.enabled && applied?.enabled === true,
    replay: createReplay({ loaded, resolvers, revision: createRevisions(api, loaded, onRecord) }),
    tally: createTally({ loaded, applied: onRecord.current, examples }),
  };
  const context = needsContext(loaded, resolvers);
  const events = kinds.has('event') ? await walkEvents(input, walk, context) : 0;
  const ticks = kinds.has('schedule') ? await walkTicks(input, walk, context) : 0;
  return {
    ...{ definition_id: definition.id, file, definition_hash },
    applied_hash: onRecord.current?.definition_hash ?? null,
    ...{ since, until, asked_since, events, ticks },
    ...walk.tally.counts(),
    notes: notesOf(walk),
  };
}

function windowOf({ since: asked, until }: BacktestInput, { now, forgotten_before }: OnRecord) {
  const isCut = forgotten_before !== null && Date.parse(forgotten_before) > Date.parse(asked);
  return { since: isCut ? forgotten_before : asked, until: until ?? now, asked_since: isCut ? asked : null };
}

function createRevisions(
  api: RecordApi,
  { definition, definition_hash }: LoadedDefinition,
  { current }: OnRecord,
) {
  const known = new Map<string, Promise<Definition | null>>([[definition_hash, Promise.resolve(definition)]]);
  if (current) known.set(current.definition_hash, Promise.resolve(current.document));
  return (hash: string): Promise<Definition | null> => {
    const found = known.get(hash) ?? api.getRevision(definition.id, hash).then(({ document }) => document);
    known.set(hash, found);
    return found;
  };
}

async function walkEvents(input: BacktestInput, walk: Walk, context: boolean): Promise<number> {
  const { definition, applied } = walk;
  const type = definition.trigger.event?.type;
  const appliedType = applied?.trigger.event?.type;
  // What is applied now would have decided these as well, had it been there and enabled.
  const decidesAlready = applied?.enabled === true && type === appliedType;
  let count = 0;
  for (const one of new Set([type, appliedType])) {
    if (one === undefined) continue;
    for await (const page of readInputs(input.api, { ...walk, type: one, context })) {
      for (const event of page) {
        const isUndecided = event.recorded.outcome === 'not_decided';
        if (isUndecided && (one !== type || decidesAlready || walk.isOff)) walk.tally.passOver('not_decided');
        else await decide(walk, event, one === type ? null : 'not_triggered');
      }
      count += page.length;
      tellProgress(input, walk, page);
    }
  }
  return count;
}

/** Where the file has another schedule, its own times are walked along: those on record may be off it, and it may have others. */
async function walkTicks(input: BacktestInput, walk: Walk, context: boolean): Promise<number> {
  const { definition, tally } = walk;
  const schedule = definition.trigger.schedule;
  const grid = schedule && !walk.isOff && hasOtherTimes(walk) ? timesOf(walk) : null;
  let due = grid?.next().value;
  let count = 0;
  for await (const page of readInputs(input.api, { ...walk, type: null, context })) {
    for (const tick of page) {
      const at = Date.parse(tick.at);
      for (; due !== undefined && due < at; due = grid?.next().value) await decide(walk, newTick(due), null);
      const isDue = grid === null || due === at;
      if (due === at) due = grid?.next().value;
      if (tick.recorded.compares === 'no') tally.passOver(tick.recorded.outcome);
      else if (schedule) await decide(walk, tick, isDue ? null : 'not_due');
      else await decide(walk, tick, 'not_triggered');
    }
    count += page.length;
    tellProgress(input, walk, page);
  }
  for (; due !== undefined; due = grid?.next().value) await decide(walk, newTick(due), null);
  return count;
}

const newTick = (at: number): Input => tickAt(new Date(at).toISOString().replace('.000Z', 'Z'));

function timesOf({ definition, since, until }: Walk): Iterator<number, undefined> {
  const schedule = definition.trigger.schedule ?? { timezone: 'UTC' };
  const times = fireTimesBetween(schedule, Date.parse(since) - 1, Date.parse(until) - 1);
  return times as Iterator<number, undefined>;
}

function hasOtherTimes({ definition, applied }: Pick<Walk, 'definition' | 'applied'>): boolean {
  const before = applied?.enabled ? applied.trigger.schedule : undefined;
  const after = definition.trigger.schedule;
  return (['cron', 'every', 'timezone'] as const).some((field) => before?.[field] !== after?.[field]);
}

/** `never`: why the file has nothing to do with it. */
async function decide(walk: Walk, input: Input, never: string | null): Promise<void> {
  const { replay, tally } = walk;
  if (input.recorded.compares === 'no') return tally.passOver(input.recorded.outcome);
  const outcome = never ?? (walk.isOff ? 'disabled' : null);
  if (outcome) return tally.compare(input, { outcome, rules: [], tasks: [], error: null });
  const replayed = await replay(input);
  if ('now' in replayed) tally.compare(input, replayed.now);
  else if ('obstacle' in replayed) tally.cannotTell(input, replayed.obstacle);
  else tally.passOver(replayed.uncomparable);
}

function tellProgress({ onProgress }: BacktestInput, walk: Walk, page: Input[]): void {
  walk.read += page.length;
  const last = page.at(-1);
  if (last) onProgress(walk.read, last.at);
}

function notesOf(walk: Walk): Note[] {
  const { definition, applied, isOff } = walk;
  const notes: Note[] = [];
  if (!applied) notes.push('never_applied');
  if (isOff) notes.push('would_be_disabled');
  else if (!definition.enabled) notes.push('evaluated_as_if_enabled');
  if (applied?.trigger.schedule && definition.trigger.schedule && !isOff && hasOtherTimes(walk))
    notes.push('schedule_changed');
  return notes;
}
