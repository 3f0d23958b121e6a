/** The two activities of `handleEvent`: ordinary ones, each with its place in the workflow's history. */
import { type Pool, transaction } from '../../src/store/pool.ts';
import { type EventRows, insertRows, rowsOf } from './event-rows.ts';

export interface EventActivities {
  resolveAndEvaluate(received: string): Promise<EventRows>;
  insert(rows: EventRows): Promise<void>;
}

export function createEventActivities(pool: Pool): EventActivities {
  let sequence = 0;
  return {
    async resolveAndEvaluate(received) {
      sequence += 1;
      return rowsOf(Buffer.from(received), { stream_seq: sequence, stream_timestamp: Date.now() * 1_000 });
    },
    async insert(rows) {
      await transaction(pool, (client) => insertRows(client, [rows]));
    },
  };
}
