/** What a run sees of State Hub: ranked, small enough to be kept with the run, and with a hash that says which state it was. */
import { createHash } from 'node:crypto';
import type { HubTask, HubWorkstream, Listing } from '../clients/state-hub.ts';
import { canonicalJson, type Json, type JsonObject } from '../core/json.ts';
import { rankTasks, WSJF_INPUTS } from '../core/wsjf.ts';

const TASK_FIELDS = ['id', 'title', 'workstream_id', 'status', ...WSJF_INPUTS, 'updated_at', 'wsjf'];
const WORKSTREAM_FIELDS = ['id', 'title', 'status'];

const MAX_BYTES = 512 * 1024;
/** Of the workstreams, and of what is unranked; what they leave is for what is ranked. */
const MAX_SIDE_BYTES = 128 * 1024;
const MAX_ITEM_BYTES = 32 * 1024;
/** The names of the lists, the hash. */
const FRAME_BYTES = 512;

/** `snapshot_hash`: SHA-256 in hex of the canonical JSON of all the rest. */
export function snapshotOf(workstreams: Listing<HubWorkstream>, tasks: Listing<HubTask>): JsonObject {
  const { ranked, unranked } = rankTasks(tasks.items);
  const streams = firstThatFit(workstreams.items, WORKSTREAM_FIELDS, MAX_SIDE_BYTES);
  const rest = firstThatFit(unranked, ['id', 'missing'], MAX_SIDE_BYTES);
  const first = firstThatFit(ranked, TASK_FIELDS, MAX_BYTES - FRAME_BYTES - streams.bytes - rest.bytes);
  const truncated =
    workstreams.truncated || tasks.truncated || [streams, first, rest].some(({ isCut }) => isCut);
  const seen = { workstreams: streams.items, ranked: first.items, unranked: rest.items, truncated };
  return { ...seen, snapshot_hash: createHash('sha256').update(canonicalJson(seen)).digest('hex') };
}

interface Fitted {
  items: JsonObject[];
  bytes: number;
  isCut: boolean;
}

/** The first of them, up to one that no longer fits. A very large one keeps only the fields that the contract names. */
function firstThatFit(
  all: readonly { readonly [name: string]: Json }[],
  fields: string[],
  maxBytes: number,
): Fitted {
  const items: JsonObject[] = [];
  let [bytes, isCut] = [0, false];
  for (const item of all) {
    const isLarge = sizeOf(item) > MAX_ITEM_BYTES;
    const kept = isLarge ? onlyFields(item, fields) : { ...item };
    const size = sizeOf(kept) + 1;
    if (bytes + size > maxBytes) return { items, bytes, isCut: true };
    items.push(kept);
    bytes += size;
    isCut ||= isLarge;
  }
  return { items, bytes, isCut };
}

const sizeOf = (item: object): number => Buffer.byteLength(canonicalJson(item));

function onlyFields(item: { readonly [name: string]: Json }, fields: string[]): JsonObject {
  return Object.fromEntries(Object.entries(item).filter(([name]) => fields.includes(name)));
}
