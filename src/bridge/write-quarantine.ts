/** What was refused is kept whole while there is room, and counted past QUARANTINE_MAX_BYTES. */
import { readEventId } from '../core/envelope.ts';
import type { Queryable } from '../store/pool.ts';
import { countOverflow, type OverflowedMessage } from '../store/quarantine-overflow.ts';
import { readQuarantineBytes } from '../store/quarantine-volume.ts';
import {
  insertQuarantined,
  listRefusedAmong,
  type NewQuarantinedEvent,
} from '../store/quarantined-events.ts';
import type { Refused } from './decode.ts';
import { idOf } from './known-fates.ts';

export interface Quarantine {
  /** Those whose refusal was not on record before, kept or counted. */
  quarantined: Refused[];
  /** Those of them that are only counted. */
  overflowed: Refused[];
}

export async function writeQuarantine(
  client: Queryable,
  refused: Refused[],
  maxBytes: number,
): Promise<Quarantine> {
  if (refused.length === 0) return { quarantined: [], overflowed: [] };
  const known = await listRefusedAmong(client, refused.map(idOf));
  const fresh = refused.filter((one) => !known.has(idOf(one)));
  if (fresh.length === 0) return { quarantined: [], overflowed: [] };
  const { kept, overflowed } = divide(fresh, maxBytes - (await readQuarantineBytes(client)));
  const written = new Set([
    ...(kept.length > 0 ? await insertQuarantined(client, kept.map(toKept)) : []),
    ...(overflowed.length > 0 ? await countOverflow(client, overflowed.map(toCounted)) : []),
  ]);
  const isWritten = (one: Refused) => written.has(idOf(one));
  return { quarantined: fresh.filter(isWritten), overflowed: overflowed.filter(isWritten) };
}

/** In the order of receipt. The one that crosses the limit is kept: what comes at or past it is not. */
function divide(refused: Refused[], room: number): { kept: Refused[]; overflowed: Refused[] } {
  let bytes = 0;
  const end = refused.findIndex((one) => {
    if (bytes >= room) return true;
    bytes += sizeOf(one);
    return false;
  });
  const count = end === -1 ? refused.length : end;
  return { kept: refused.slice(0, count), overflowed: refused.slice(count) };
}

function sizeOf({ message: { bytes, headers }, violations }: Refused): number {
  return bytes.byteLength + JSON.stringify(headers).length + JSON.stringify(violations).length;
}

const toCounted = (one: Refused): OverflowedMessage => ({
  id: idOf(one),
  reason: one.reason,
  subject: one.message.subject,
  stream_seq: one.message.stream_seq,
});

const toKept = (one: Refused): NewQuarantinedEvent => ({
  ...one.message,
  id: idOf(one),
  event_id: readEventId(one.message.bytes),
  reason: one.reason,
  violations: one.violations,
});
