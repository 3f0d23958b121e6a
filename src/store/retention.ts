/** `retention`: one row, which leases the deletion of what is old to one replica and says what the last pass did. */
import type { Queryable } from './pool.ts';

/** Rows by table; without those of which there were none. */
export type DeletedRows = Partial<Record<string, number>>;

/** Before when something is old, RFC 3339. Fixed for a whole pass. */
export interface Cutoffs {
  rows: string;
  /** Of identities: a day more than DEDUPE_DAYS, since publishers' clocks may be ahead of ours. */
  identities: string;
}

/** Where a walk over a table is, oldest rows first: the last row that was looked at. */
export interface Place {
  time: string;
  key: string;
}

export const BEGINNING: Place = { time: '-infinity', key: '00000000-0000-0000-0000-000000000000' };

export interface Walked {
  deleted: DeletedRows;
  /** Null at the end. */
  next: Place | null;
}

export interface Walk {
  /** RFC 3339. */
  before: string;
  after: Place;
  limit: number;
}

export interface PassRequest {
  /** The holder. */
  lease: string;
  leaseSeconds: number;
  /** A pass is due when the last one began so long ago, or did not finish. */
  everySeconds: number;
  evenIfNotDue: boolean;
  retentionDays: number;
  dedupeDays: number;
}

/** A thousand years; PostgreSQL's calendar does not go back for as long as a configuration may say. */
const MOST_DAYS = 365_000;

/** Begins a pass: null where none is due, or another replica is at it. */
export async function beginPass(db: Queryable, request: PassRequest): Promise<Cutoffs | null> {
  const { lease, leaseSeconds, everySeconds, evenIfNotDue } = request;
  const { rows } = await db.query(
    `UPDATE retention
        SET leased_by = $1, leased_until = clock_timestamp() + make_interval(secs => $2), began_at = clock_timestamp(),
            finished_at = NULL, deleted = '{}',
            forgotten_before = greatest(forgotten_before, now() - make_interval(days => $5))
      WHERE singleton IN (
        SELECT singleton FROM retention
         WHERE coalesce(leased_until, '-infinity') <= clock_timestamp()
           AND ($4 OR finished_at IS NULL OR began_at <= clock_timestamp() - make_interval(secs => $3))
           FOR UPDATE SKIP LOCKED)
      RETURNING now() - make_interval(days => $5) AS rows, now() - make_interval(days => $6 + 1) AS identities`,
    [
      lease,
      leaseSeconds,
      everySeconds,
      evenIfNotDue,
      Math.min(request.retentionDays, MOST_DAYS),
      Math.min(request.dedupeDays, MOST_DAYS),
    ],
  );
  return rows[0] ?? null;
}

/** Until the transaction ends nobody can take the lease. False where somebody has. */
export async function holdPass(
  db: Queryable,
  { lease, leaseSeconds, deleted }: { lease: string; leaseSeconds: number; deleted: DeletedRows },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `UPDATE retention SET leased_until = clock_timestamp() + make_interval(secs => $2), deleted = $3 WHERE leased_by = $1`,
    [lease, leaseSeconds, JSON.stringify(deleted)],
  );
  return rowCount === 1;
}

/** Gives the lease back. A pass that did not finish is due again at once. */
export async function endPass(
  db: Queryable,
  { lease, deleted, finished }: { lease: string; deleted: DeletedRows; finished: boolean },
): Promise<void> {
  await db.query(
    `UPDATE retention
        SET leased_by = NULL, leased_until = NULL, deleted = $2, finished_at = CASE WHEN $3 THEN clock_timestamp() END
      WHERE leased_by = $1`,
    [lease, JSON.stringify(deleted), finished],
  );
}

/** Whether what happened at that time (RFC 3339) may have been deleted: it is not new because it is not on record. */
export async function mayBeForgotten(db: Queryable, time: string): Promise<boolean> {
  const { rows } = await db.query('SELECT 1 FROM retention WHERE forgotten_before > $1', [time]);
  return rows.length > 0;
}
