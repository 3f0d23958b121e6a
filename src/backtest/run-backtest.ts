/** A definition file over what is on record: read in pages, decided again here, compared. Nothing is written or sent. */
import type { ActivityCoreApi } from '../clients/activity-core-api.ts';
import type { OnRecord } from '../clients/activity-core-api-backtest.ts';
import { triggerKind } from '../core/definition.ts';
import type { EventType } from '../core/event-type.ts';
import type { LoadedDefinition } from '../definitions/check.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { createKeptRules } from './kept-rules.ts';
import { notComparedFields } from './not-compared-fields.ts';
import { createReplay, needsContext, type Revisions } from './replay.ts';
import type { BacktestReport, Note } from './report.ts';
import { createTally } from './tally.ts';
import { hasOtherTimes, type Walk, walkEvents, walkTicks } from './walk-inputs.ts';

export type RecordApi = Pick<
  ActivityCoreApi,
  'getOnRecord' | 'getRevision' | 'listRecordedEvents' | 'listRecordedTicks'
>;

export interface BacktestInput {
  api: RecordApi;
  loaded: LoadedDefinition;
  /** That the file names, as it stands beside it; null where there is none. */
  eventType: EventType | null;
  resolvers: Resolvers;
  /** RFC 3339. */
  since: string;
  /** Null: until now, by the service's clock, which is the latest that counts. */
  until: string | null;
  /** For each difference. */
  examples: number;
  /** After each page. */
  onProgress(read: number, at: string): void;
}

/** It has a manual trigger, and no other is applied: nothing that it would be started by is on record: runs by hand are not replayed. */
export class NothingToReplayError extends Error {
  override name = 'NothingToReplayError';
}

/** @throws NothingToReplayError, and what the API client throws */
export async function runBacktest(input: BacktestInput): Promise<BacktestReport> {
  const { api, loaded, eventType, resolvers, examples, onProgress } = input;
  const { definition, definition_hash, file } = loaded;
  const onRecord = await api.getOnRecord(definition.id);
  const applied = onRecord.current?.document ?? null;
  const kinds = new Set([triggerKind(definition), ...(applied ? [triggerKind(applied)] : [])]);
  if (kinds.size === 1 && kinds.has('manual'))
    throw new NothingToReplayError(
      `${file} has a manual trigger: no event and no tick starts it, and runs by hand are not replayed; try dry-run`,
    );
  const { since, until, asked_since } = windowOf(input, onRecord);
  const revision = createRevisions(api, loaded, onRecord);
  const walk: Walk = {
    ...{ api, onProgress, definition, applied, since, until, read: 0 },
    context: needsContext(loaded, resolvers),
    isOff: !definition.enabled && applied?.enabled === true,
    replay: createReplay({ loaded, resolvers, revision }),
    keptRules: createKeptRules(loaded, revision),
    tally: createTally({ loaded, applied: onRecord.current, examples }),
  };
  const events = kinds.has('event') ? await walkEvents(walk) : 0;
  const ticks = kinds.has('schedule') ? await walkTicks(walk) : 0;
  const types = { appliedType: onRecord.event_type, fileType: eventType };
  return {
    ...{ definition_id: definition.id, file, definition_hash },
    applied_hash: onRecord.current?.definition_hash ?? null,
    ...{ since, until, asked_since, events, ticks },
    ...walk.tally.counts(),
    not_compared_fields: notComparedFields({ applied, file: definition, ...types }),
    notes: notesOf(walk),
  };
}

function windowOf({ since: asked, until }: BacktestInput, { now, forgotten_before }: OnRecord) {
  const isCut = forgotten_before !== null && Date.parse(forgotten_before) > Date.parse(asked);
  const isOver = until !== null && Date.parse(until) <= Date.parse(now);
  return {
    since: isCut ? forgotten_before : asked,
    until: isOver ? until : now,
    asked_since: isCut ? asked : null,
  };
}

function createRevisions(
  api: RecordApi,
  { definition, definition_hash }: LoadedDefinition,
  { current }: OnRecord,
): Revisions {
  const known = new Map<string, ReturnType<Revisions>>([[definition_hash, Promise.resolve(definition)]]);
  if (current) known.set(current.definition_hash, Promise.resolve(current.document));
  return (hash) => {
    const found = known.get(hash) ?? api.getRevision(definition.id, hash).then(({ document }) => document);
    known.set(hash, found);
    return found;
  };
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
