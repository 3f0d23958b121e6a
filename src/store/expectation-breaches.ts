/**
 * `expectation_breaches`: a row for each breach, open until it heals. Each change is one statement, so that a replica that
 * stands still holds no lock; it locks the row in `watched_definitions`, so that of several replicas one makes the change.
 */
import type { Queryable } from './pool.ts';

export type HealedBy =
  | 'run_completed'
  | 'definition_enabled'
  | 'definition_disabled'
  | 'definition_removed'
  | 'expectation_changed'
  | 'expectation_removed';

export interface OpenBreach {
  definition_id: string;
  run_every: string;
  /** Null where no run is known to have completed. */
  last_completed_at: string | null;
  /** When `run_every` had passed. */
  since: string;
}

export interface Breach extends OpenBreach {
  breach_id: number;
  /** The last completed run, or when the definition was enabled, whichever is later. */
  counted_from: string;
  noticed_at: string;
  breach_posted_at: string | null;
}

export interface HealedBreach extends Breach {
  healed_at: string;
  healed_by: HealedBy;
  /** Of the run that healed it. */
  completed_at: string | null;
}

const BREACH = `breach_id, definition_id, run_every, last_completed_at, counted_from, since, noticed_at, breach_posted_at`;
// pg heeds query_timeout for each query; its types know it for the pool alone.
const OPEN_BREACHES = {
  text: `SELECT definition_id, run_every, last_completed_at, since
           FROM expectation_breaches WHERE healed_at IS NULL ORDER BY definition_id`,
  query_timeout: 3_000,
};
const HEALED = `${BREACH}, healed_at, healed_by, completed_at`;
const WATCHED = `SELECT definition_id, last_completed_at, greatest(enabled_since, last_completed_at) AS counted_from
                   FROM watched_definitions WHERE definition_id = $1`;
const STILL_EXPECTED = `EXISTS (SELECT 1 FROM activity_definitions d
                                 WHERE d.definition_id = $1 AND d.is_current AND d.enabled
                                   AND d.document #>> '{expect,run_every}' = $2)`;

/** For health checks: a server that does not answer is not waited for. */
export async function listOpenBreaches(db: Queryable): Promise<OpenBreach[]> {
  const { rows } = await db.query(OPEN_BREACHES);
  return rows;
}

/** As it is declared, and in milliseconds. */
export interface DeclaredExpectation {
  run_every: string;
  milliseconds: number;
}

/** Null where nothing is late, this is not expected any more, or the breach is open already. */
export async function openBreach(
  db: Queryable,
  definitionId: string,
  { run_every, milliseconds }: DeclaredExpectation,
  { forStateHub }: { forStateHub: boolean },
): Promise<Breach | null> {
  const { rows } = await db.query(
    // Only what is late is locked: a lock is a write, and most looks find nothing.
    `WITH watched AS (
       ${WATCHED} AND greatest(enabled_since, last_completed_at) + $3 * interval '1 millisecond' < clock_timestamp()
       FOR UPDATE)
     INSERT INTO expectation_breaches (definition_id, run_every, last_completed_at, counted_from, since, for_state_hub)
     SELECT definition_id, $2, last_completed_at, counted_from, counted_from + $3 * interval '1 millisecond', $4
       FROM watched WHERE ${STILL_EXPECTED}
     ON CONFLICT (definition_id) WHERE healed_at IS NULL DO NOTHING
     RETURNING ${BREACH}`,
    [definitionId, run_every, milliseconds, forStateHub],
  );
  return rows[0] ?? null;
}

/** The breach of an expectation that is still declared. Null where there is none, or it lasts. */
export async function healBreach(
  db: Queryable,
  definitionId: string,
  { run_every, milliseconds }: DeclaredExpectation,
): Promise<HealedBreach | null> {
  const { rows } = await db.query(
    `WITH watched AS (${WATCHED} FOR UPDATE), healed AS (
       UPDATE expectation_breaches b
          SET healed_at = clock_timestamp(),
              healed_by = CASE WHEN w.last_completed_at > b.counted_from THEN 'run_completed'
                               WHEN w.counted_from > b.counted_from THEN 'definition_enabled'
                               ELSE 'expectation_changed' END,
              completed_at = CASE WHEN w.last_completed_at > b.counted_from THEN w.last_completed_at END
         FROM watched w
        WHERE b.definition_id = w.definition_id AND b.healed_at IS NULL
          AND (w.counted_from > b.counted_from
               OR (w.counted_from + $3 * interval '1 millisecond' >= clock_timestamp() AND ${STILL_EXPECTED}))
       RETURNING b.*)
     SELECT ${HEALED} FROM healed`,
    [definitionId, run_every, milliseconds],
  );
  return rows[0] ?? null;
}

/** Breaches of what nobody expects any more. */
export async function healNotExpected(db: Queryable): Promise<HealedBreach[]> {
  const { rows } = await db.query(
    `UPDATE expectation_breaches b
        SET healed_at = clock_timestamp(),
            healed_by = coalesce((SELECT CASE WHEN d.enabled THEN 'expectation_removed' ELSE 'definition_disabled' END
                                    FROM activity_definitions d
                                   WHERE d.definition_id = b.definition_id AND d.is_current), 'definition_removed')
      WHERE healed_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM activity_definitions d
                         WHERE d.definition_id = b.definition_id AND d.is_current AND d.enabled
                           AND d.document #>> '{expect,run_every}' IS NOT NULL)
     RETURNING ${HEALED}`,
  );
  return rows;
}

const isUnposted = (b: string) =>
  `(${b}.for_state_hub AND
    (${b}.breach_posted_at IS NULL OR (${b}.healed_at IS NOT NULL AND ${b}.healing_posted_at IS NULL)))`;

/**
 * The next breach of which State Hub does not know all, for this replica alone while the lease lasts. Those of one
 * definition come in order; what failed before comes last, so that it stops no other. Null where there is none.
 */
export async function leaseUnposted(
  db: Queryable,
  leaseSeconds: number,
): Promise<Breach | HealedBreach | null> {
  const { rows } = await db.query(
    `UPDATE expectation_breaches
        SET leased_until = clock_timestamp() + $1 * interval '1 second'
      WHERE breach_id = (SELECT b.breach_id FROM expectation_breaches b
                          WHERE ${isUnposted('b')} AND coalesce(b.leased_until, '-infinity') <= clock_timestamp()
                            AND NOT EXISTS (SELECT 1 FROM expectation_breaches e
                                             WHERE e.definition_id = b.definition_id AND e.breach_id < b.breach_id
                                               AND ${isUnposted('e')})
                          ORDER BY b.leased_until NULLS FIRST, b.breach_id LIMIT 1 FOR UPDATE SKIP LOCKED)
     RETURNING ${HEALED}`,
    [leaseSeconds],
  );
  return rows[0] ?? null;
}

export async function markBreachPosted(db: Queryable, breachId: number): Promise<void> {
  await db.query(
    `UPDATE expectation_breaches SET breach_posted_at = clock_timestamp(), leased_until = NULL
      WHERE breach_id = $1 AND breach_posted_at IS NULL`,
    [breachId],
  );
}

export async function markHealingPosted(db: Queryable, breachId: number): Promise<void> {
  await db.query(
    `UPDATE expectation_breaches SET healing_posted_at = clock_timestamp(), leased_until = NULL
      WHERE breach_id = $1 AND healing_posted_at IS NULL`,
    [breachId],
  );
}

/** Whoever comes next may try again. */
export async function returnUnposted(db: Queryable, breachId: number): Promise<void> {
  await db.query('UPDATE expectation_breaches SET leased_until = clock_timestamp() WHERE breach_id = $1', [
    breachId,
  ]);
}
