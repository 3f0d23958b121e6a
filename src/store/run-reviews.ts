/** `run_reviews`: what people think of a run's specs. For a content the latest verdict counts, and none expires. */
import type { Queryable } from './pool.ts';

export type Verdict = 'approved' | 'rejected';

export interface NewReview {
  run_id: string;
  definition_id: string;
  definition_hash: string;
  /** Of the definition without `emit`: core/reviewed-content.ts. */
  content_hash: string;
  verdict: Verdict;
  reviewer: string;
  note: string | null;
}

export interface Review extends NewReview {
  review_id: number;
  reviewed_at: string;
}

const COLUMNS =
  'review_id, run_id, definition_id, definition_hash, content_hash, verdict, reviewer, note, reviewed_at';

/** Whoever calls this holds the registry's lock and advances its version: readers keep verdicts in memory. */
export async function insertReview(db: Queryable, review: NewReview): Promise<Review> {
  const { rows } = await db.query(
    `INSERT INTO run_reviews (run_id, definition_id, definition_hash, content_hash, verdict, reviewer, note, reviewed_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp()) RETURNING ${COLUMNS}`,
    [
      review.run_id,
      review.definition_id,
      review.definition_hash,
      review.content_hash,
      review.verdict,
      review.reviewer,
      review.note,
    ],
  );
  return rows[0];
}

/** Newest first. */
export async function listReviewsOfRun(db: Queryable, runId: string): Promise<Review[]> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM run_reviews WHERE run_id = $1 ORDER BY review_id DESC`,
    [runId],
  );
  return rows;
}

/** The latest verdict on a content; null where nobody has reviewed it. */
export async function findLatestReview(
  db: Queryable,
  definitionId: string,
  contentHash: string,
): Promise<Review | null> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM run_reviews WHERE definition_id = $1 AND content_hash = $2 ORDER BY review_id DESC LIMIT 1`,
    [definitionId, contentHash],
  );
  return rows[0] ?? null;
}

export interface ApprovedContent {
  definition_id: string;
  content_hash: string;
}

/** The contents whose latest verdict is an approval. */
export async function listApprovedContents(db: Queryable): Promise<ApprovedContent[]> {
  const { rows } = await db.query(
    `SELECT definition_id, content_hash FROM (
       SELECT DISTINCT ON (definition_id, content_hash) definition_id, content_hash, verdict
         FROM run_reviews ORDER BY definition_id, content_hash, review_id DESC) AS latest
      WHERE verdict = 'approved'`,
  );
  return rows;
}
