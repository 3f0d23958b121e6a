/**
 * `instruction_calls`: each request to the model, on record before it is sent, and what came of it. A run and all of its
 * retries are a chain: its accepted answers and its budget are theirs together.
 */
import type { Violation } from '../core/envelope.ts';
import type { Json } from '../core/json.ts';
import { type Pool, type Queryable, transaction } from './pool.ts';

export interface Chain {
  definition_id: string;
  origin_trigger_key: string;
}

/** An instruction as one run asks it. */
export interface Question extends Chain {
  run_id: string;
  instruction_id: string;
  definition_hash: string;
}

/** `refused`: the answer does not fit the schema. `failed`: there is no answer. */
export type CallOutcome = 'accepted' | 'refused' | 'failed';

export interface CallResult {
  /** As it came; of a failed call, what the endpoint said in its place. */
  answer: string | null;
  violations: Violation[] | null;
  fault: string | null;
  model: string | null;
  finish_reason: string | null;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  latency_ms: number | null;
}

export const NO_RESULT: CallResult = {
  answer: null,
  violations: null,
  fault: null,
  model: null,
  finish_reason: null,
  prompt_tokens: null,
  completion_tokens: null,
  latency_ms: null,
};

export interface CallEnding extends CallResult {
  outcome: CallOutcome;
  /** False where the model cannot have worked: it takes nothing from the budget. */
  counts: boolean;
  /** Of an accepted answer alone. */
  output?: Json;
}

export interface InstructionCall extends CallResult {
  call_id: number;
  run_id: string;
  /** Of the messages as they were sent. */
  prompt_hash: string;
  asked_at: string;
  /** Null while it is under way, and where its process died. */
  ended_at: string | null;
  outcome: CallOutcome | null;
}

/** `used`: the calls of the chain that count. `last_fault`: why the newest call of the chain has no answer; null where it has. */
export type Begun = { ok: true; call_id: number } | { ok: false; used: number; last_fault: string | null };

const COLUMNS = `call_id, run_id, prompt_hash, asked_at, ended_at, outcome, answer, violations, fault, model, finish_reason,
  prompt_tokens, completion_tokens, latency_ms`;

/** All of it is committed when this returns; of two at once the second waits, and sees the first. */
export async function insertCall(
  pool: Pool,
  question: Question,
  { prompt_hash, maxCalls }: { prompt_hash: string; maxCalls: number },
): Promise<Begun> {
  const { definition_id, origin_trigger_key, run_id, instruction_id, definition_hash } = question;
  return transaction(pool, async (client) => {
    await lockCalls(client, question);
    // A statement of its own: it sees what those committed who held the lock before.
    const { rows } = await client.query(
      `WITH budget AS (
         SELECT count(*) AS used FROM instruction_calls
          WHERE definition_id = $1 AND origin_trigger_key = $2 AND counts),
       begun AS (
         INSERT INTO instruction_calls (definition_id, origin_trigger_key, run_id, instruction_id, definition_hash, prompt_hash)
         SELECT $1, $2, $3::uuid, $4, $5, $6 FROM budget WHERE used < $7
         RETURNING call_id)
       SELECT used, (SELECT call_id FROM begun) AS call_id,
              (SELECT fault FROM instruction_calls WHERE definition_id = $1 AND origin_trigger_key = $2
                ORDER BY call_id DESC LIMIT 1) AS last_fault
         FROM budget`,
      [definition_id, origin_trigger_key, run_id, instruction_id, definition_hash, prompt_hash, maxCalls],
    );
    const [{ used, call_id, last_fault }] = rows;
    return call_id === null ? { ok: false, used, last_fault } : { ok: true, call_id };
  });
}

/** What has ended stays as it is. */
export async function endCall(
  pool: Pool,
  chain: Chain,
  callId: number,
  { outcome, counts, output, violations, ...result }: CallEnding,
): Promise<void> {
  await transaction(pool, async (client) => {
    await lockCalls(client, chain);
    await client.query(
      // Under the lock, and later than any other of the chain whatever the clock does: the order of ended_at is that of the
      // commits, so nobody who has seen an answer as the first is overtaken.
      `UPDATE instruction_calls
          SET ended_at = greatest(clock_timestamp(), (SELECT max(ended_at) + interval '1 microsecond' FROM instruction_calls
                                                       WHERE definition_id = $2 AND origin_trigger_key = $3)),
              outcome = $4, counts = $5, output = $6, violations = $7, answer = $8, fault = $9, model = $10,
              finish_reason = $11, prompt_tokens = $12, completion_tokens = $13, latency_ms = $14
        WHERE call_id = $1 AND ended_at IS NULL`,
      [
        callId,
        chain.definition_id,
        chain.origin_trigger_key,
        outcome,
        counts,
        output === undefined ? null : JSON.stringify(output),
        violations && JSON.stringify(violations),
        result.answer,
        result.fault,
        result.model,
        result.finish_reason,
        result.prompt_tokens,
        result.completion_tokens,
        result.latency_ms,
      ],
    );
  });
}

/** The chain's accepted answers to this very instruction; first the one that was accepted first. */
export async function listAcceptedCalls(db: Queryable, question: Question): Promise<InstructionCall[]> {
  const { definition_id, origin_trigger_key, instruction_id, definition_hash } = question;
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM instruction_calls
      WHERE definition_id = $1 AND origin_trigger_key = $2 AND instruction_id = $3 AND definition_hash = $4
        AND outcome = 'accepted'
      ORDER BY ended_at, call_id`,
    [definition_id, origin_trigger_key, instruction_id, definition_hash],
  );
  return rows;
}

/** In the order in which they were asked. */
export async function listCallsOfRun(
  db: Queryable,
  { definition_id, origin_trigger_key, instruction_id, run_id }: Question,
): Promise<InstructionCall[]> {
  const { rows } = await db.query(
    `SELECT ${COLUMNS} FROM instruction_calls
      WHERE definition_id = $1 AND origin_trigger_key = $2 AND instruction_id = $3 AND run_id = $4
      ORDER BY call_id`,
    [definition_id, origin_trigger_key, instruction_id, run_id],
  );
  return rows;
}

/** One that begins or ends a call of the chain at a time, until the transaction ends. */
async function lockCalls(db: Queryable, { definition_id, origin_trigger_key }: Chain): Promise<void> {
  await db.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `instruction calls ${definition_id} ${origin_trigger_key}`,
  ]);
}
