/** What a service that is at rest has none of, in words with their counts; empty where nothing is left. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from '../../src/store/pool.ts';
import { NATS_ANSWER_MS } from './event-path.ts';

export interface Places {
  pool: Pool;
  nats: NatsConnection;
}

/** `cut`: of what came before, RFC 3339. A schedule goes on making work. */
export async function workLeft({ pool, nats }: Places, cut: string): Promise<string[]> {
  const { state } = await (await jetstreamManager(nats, { timeout: NATS_ANSWER_MS })).streams.info(
    'ACTIVITY',
  );
  const { rows } = await pool.query(
    `SELECT (SELECT count(*) FROM dispatches WHERE closed_at IS NULL AND created_at < $1) AS "open dispatches",
            (SELECT count(*) FROM activity_runs WHERE status = 'running' AND started_at < $1) AS "running runs",
            (SELECT count(*) FROM schedule_ticks WHERE outcome IS NULL AND scheduled_for < $1) AS "ticks without an outcome",
            (SELECT count(*) FROM schedules WHERE recorded_until < $1) AS "schedules whose ticks are not recorded",
            (SELECT count(*) FROM activity_runs WHERE status = 'failed' AND error->>'code' = 'workflow_terminated'
                AND NOT EXISTS (SELECT 1 FROM activity_runs o WHERE o.retry_of = activity_runs.run_id)) AS "terminated runs"`,
    [cut],
  );
  return inWords({ ...rows[0], 'messages in the stream': state.messages });
}

export async function messagesLeft({ nats }: Pick<Places, 'nats'>): Promise<string[]> {
  const manager = await jetstreamManager(nats, { timeout: NATS_ANSWER_MS });
  const { state } = await manager.streams.info('ACTIVITY');
  const { num_ack_pending, num_pending } = await manager.consumers.info('ACTIVITY', 'activity-core');
  return inWords({
    'messages in the stream': state.messages,
    'not acknowledged': num_ack_pending,
    'not delivered': num_pending,
  });
}

const inWords = (counts: Record<string, number>): string[] =>
  Object.entries(counts).flatMap(([what, n]) => (n === 0 ? [] : [`${n} ${what}`]));
