/** What the service holds of the machine: memory and connections while it runs, processes after it was stopped. Bounds are generous. */
import type { Check } from '../setup/checks.ts';
import { REPLICAS } from './plan.ts';
import { listProcesses, type ProcessSeen } from './processes.ts';
import type { Subjects } from './subjects.ts';

export type Resident = ReturnType<Subjects['resident']>;

/** The pool of one replica. */
const CONNECTIONS_OF_REPLICA = 20;
const GROWTH_MIB = 200;

export async function judgeFootprint({ pool, resident }: Subjects, before: Resident): Promise<Check[]> {
  const after = resident();
  const allowed = Math.max(...Object.values(before)) + GROWTH_MIB;
  const { rows } = await pool.query(
    `SELECT count(*) AS connections,
            count(*) FILTER (WHERE state LIKE 'idle in transaction%' AND state_change < now() - interval '10 seconds') AS stuck
       FROM pg_stat_activity WHERE application_name = 'activity-core'`,
  );
  const [{ connections, stuck }] = rows;
  return [
    {
      what: "the replicas' memory is back",
      faults: REPLICAS.filter((name) => after[name] > allowed).map(
        (name) => `${name}: ${Math.round(after[name])} MiB, allowed are ${Math.round(allowed)}`,
      ),
    },
    {
      what: 'the connections to PostgreSQL are back',
      faults: [
        ...(connections > REPLICAS.length * CONNECTIONS_OF_REPLICA ? [`${connections} connections`] : []),
        ...(stuck > 0 ? [`${stuck} transactions that nobody ends`] : []),
      ],
    },
  ];
}

/** To be called when everything is stopped. `before`: the children of this process before anything was started. */
export function judgeProcesses(stateDir: string, before: ReadonlySet<number>): Check {
  const left = listProcesses().filter(
    ({ pid, parent, place }) => place.includes(stateDir) || (parent === process.pid && !before.has(pid)),
  );
  return { what: 'no process is left', faults: left.map(described) };
}

const described = ({ pid, place }: ProcessSeen): string => `${pid}: ${place}`;
