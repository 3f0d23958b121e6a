/** What a service that is at rest has none of, in words with their counts; empty where nothing is left. */
import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Pool } from '../../src/store/pool.ts';
import { NATS_ANSWER_MS } from './event-path.ts';

export interface Places {
  pool: Pool;
  nats: NatsConnection;
}

export interface Cut {
  /** Of ticks that were due before, RFC 3339. */
  due: string;
  /** Of what was begun before, RFC 3339; null where no schedule goes on making work: a tick that was due may begin any time after. */
  begun: string | null;
}

export async function workLeft({ pool, nats }: Places, { due, begun }: Cut): Promise<string[]> {
  const { state } = await (await jetstreamManager(nats, { timeout: NATS_ANSWER_MS })).streams.info(
    'ACTIVITY',
  );
  const { rows } = await pool.query(
    `SELECT (SELECT count(*) FROM dispatches WHERE closed_at IS NULL AND ($2::timestamptz IS NULL OR created_at < $2)) AS "open dispatches",
            (SELECT count(*) FROM activity_runs WHERE status = 'running' AND ($2::timestamptz IS NULL OR started_at < $2)) AS "running runs",
            (SELECT count(*) FROM schedule_ticks WHERE outcome IS NULL AND scheduled_for < $1) AS "ticks without an outcome",
            (SELECT count(*) FROM schedules WHERE recorded_until < $1) AS "schedules whose ticks are not recorded",
            (SELECT count(*) FROM activity_runs WHERE status = 'failed' AND error->>'code' = 'workflow_terminated'
                AND NOT EXISTS (SELECT 1 FROM activity_runs o WHERE o.retry_of = activity_runs.run_id)) AS "terminated runs"`,
    [due, begun],
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
