/** Hears from PostgreSQL when runs are committed: asking again and again would take the cores from what is measured. */
import type { Pool } from '../../src/store/pool.ts';

const CHANNEL = 'bench_runs';
const LOST_MS = 60_000;

export interface Commits extends AsyncDisposable {
  /** Resolves when so many runs of the event are committed. To be called before it is published. @throws Error after a minute */
  of(eventId: string, runs: number): Promise<void>;
}

/** Of this database, once: it puts a trigger on `activity_runs`. */
export async function watchCommits(pool: Pool): Promise<Commits> {
  await pool.query(
    `CREATE FUNCTION tell_runs() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN
       PERFORM pg_notify('${CHANNEL}', event_id || ' ' || count(*)) FROM inserted GROUP BY event_id;
       RETURN NULL;
     END $$`,
  );
  await pool.query(
    `CREATE TRIGGER tell_runs AFTER INSERT ON activity_runs REFERENCING NEW TABLE AS inserted
       FOR EACH STATEMENT EXECUTE FUNCTION tell_runs()`,
  );
  const client = await pool.connect();
  let heard: (eventId: string, runs: number) => void = () => undefined;
  client.on('notification', ({ payload = '' }) => {
    const [eventId = '', runs] = payload.split(' ');
    heard(eventId, Number(runs));
  });
  await client.query(`LISTEN ${CHANNEL}`);
  return {
    of: (eventId, runs) =>
      new Promise((resolve, reject) => {
        let left = runs;
        const lost = setTimeout(
          () => reject(new Error(`event ${eventId}: ${left} of ${runs} runs are missing`)),
          LOST_MS,
        );
        heard = (id, count) => {
          if (id !== eventId) return;
          left -= count;
          if (left > 0) return;
          clearTimeout(lost);
          resolve();
        };
      }),
    async [Symbol.asyncDispose]() {
      client.release(true);
    },
  };
}
