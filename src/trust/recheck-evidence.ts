/** Looks again at what can still be fetched of stored evidence: nothing that was missing heals by that. */
import type { HubProgress, Listing, StateHubClient } from '../clients/state-hub.ts';
import type { TickFacts } from '../store/schedule-ticks.ts';
import { evidenceHash } from '../store/tick-evidence.ts';
import type { Evidence, EvidenceItem } from './evidence.ts';
import { faultOfNote, notesOf } from './note-evidence.ts';
import { entriesOf, progressHash, progressSince } from './progress-evidence.ts';

export interface RecheckDeps {
  /** Null where STATE_HUB_URL is not set. */
  stateHub: StateHubClient | null;
  workingMemoryDir: string | undefined;
}

/** By event type: what State Hub has now, or why that is not known. */
type Current = ReadonlyMap<string, Listing<HubProgress> | string>;

/** `ticks` newest first. The same ticks, their evidence as it stands now. Nobody who does not answer makes it fail. */
export async function recheckEvidence(deps: RecheckDeps, ticks: TickFacts[]): Promise<TickFacts[]> {
  const current = await currentProgress(deps.stateHub, ticks);
  const checked: TickFacts[] = [];
  for (const tick of ticks) {
    const { evidence, run_id } = tick;
    if (!evidence || run_id === null) checked.push(tick);
    else {
      const items = await recheckItems(tick, { ...evidence, run_id }, current, deps.workingMemoryDir);
      checked.push({ ...tick, evidence: { ...evidence, items } });
    }
  }
  return checked;
}

type Stored = NonNullable<TickFacts['evidence']> & { run_id: string };

async function recheckItems(
  tick: TickFacts,
  stored: Stored,
  current: Current,
  dir: string | undefined,
): Promise<Evidence> {
  const { items, collected_at, run_id } = stored;
  if (isForged(tick)) {
    const forged: EvidenceItem = { ok: false, detail: 'the stored evidence was changed', facts: {} };
    return {
      temporal_history: forged,
      activity_run: forged,
      state_hub_progress: forged,
      working_memory_note: forged,
    };
  }
  return {
    ...items,
    state_hub_progress: recheckProgress(items.state_hub_progress, collected_at, current),
    working_memory_note: await recheckNotes(items.working_memory_note, run_id, dir),
  };
}

function isForged({ definition_id, scheduled_for, run_id, evidence }: TickFacts): boolean {
  if (!evidence || run_id === null) return false;
  const stored = { definition_id, scheduled_for, run_id, evidence: evidence.items };
  return evidenceHash(stored) !== evidence.evidence_hash;
}

/** One request for each event type, since the oldest tick. */
async function currentProgress(stateHub: StateHubClient | null, ticks: TickFacts[]): Promise<Current> {
  const current = new Map<string, Listing<HubProgress> | string>();
  const filed = ticks.filter((tick) => tick.evidence && !isForged(tick) && hasEntries(tick.evidence.items));
  const since = progressSince(filed.at(-1)?.scheduled_for ?? '1970-01-01T00:00:00Z');
  const types = filed.flatMap(({ evidence }) =>
    evidence ? entriesOf(evidence.items.state_hub_progress).map(({ event_type }) => event_type) : [],
  );
  for (const event_type of new Set(types))
    current.set(event_type, await listingOf(stateHub, event_type, since));
  return current;
}

const hasEntries = ({ state_hub_progress: item }: Evidence): boolean => item.ok && entriesOf(item).length > 0;

async function listingOf(
  stateHub: StateHubClient | null,
  event_type: string,
  since: string,
): Promise<Listing<HubProgress> | string> {
  if (!stateHub) return 'STATE_HUB_URL is not set';
  try {
    return await stateHub.listProgress({ event_type, since });
  } catch (error) {
    return messageOf(error);
  }
}

function recheckProgress(item: EvidenceItem, collectedAt: string, current: Current): EvidenceItem {
  if (!item.ok) return item;
  const faults: string[] = [];
  const unknown = new Set<string>();
  for (const { event_type, progress_id, content_hash } of entriesOf(item)) {
    const listing = current.get(event_type) ?? 'nobody asked';
    if (typeof listing === 'string') {
      unknown.add(listing);
      continue;
    }
    const found = listing.items.find(({ id }) => id === progress_id);
    if (found && progressHash(found) !== content_hash)
      faults.push(`changed: progress ${progress_id} is not what it was at ${collectedAt}`);
    if (found) continue;
    if (listing.truncated) unknown.add('State Hub has more progress than is read');
    else faults.push(`gone: progress ${progress_id} was there at ${collectedAt}`);
  }
  return rechecked(item, faults, [...unknown]);
}

async function recheckNotes(
  item: EvidenceItem,
  runId: string,
  dir: string | undefined,
): Promise<EvidenceItem> {
  const notes = notesOf(item);
  if (!item.ok || notes.length === 0) return item;
  if (dir === undefined) return rechecked(item, [], ['WORKING_MEMORY_DIR is not set']);
  const faults: string[] = [];
  const unknown: string[] = [];
  for (const note of notes) {
    try {
      const fault = await faultOfNote(dir, note, runId);
      if (fault !== null) faults.push(fault.detail);
    } catch (error) {
      unknown.push(messageOf(error));
    }
  }
  return rechecked(item, faults, unknown);
}

function rechecked(item: EvidenceItem, faults: string[], unknown: string[]): EvidenceItem {
  if (faults.length > 0) return { ...item, ok: false, detail: faults.join('; ') };
  if (unknown.length === 0) return item;
  return { ...item, unchecked: unknown.join('; ') };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
