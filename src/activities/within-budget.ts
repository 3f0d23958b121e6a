/**
 * The storm breaker (contract 3, limits.max_tasks_per_hour), inside the transaction that commits a dispatch: the run that
 * crosses the limit is written, and what events of its definition triggered after it is held until an operator resumes.
 */
import { holdDecisions, listDecisionsElsewhere } from '../store/event-decisions.ts';
import type { Queryable } from '../store/pool.ts';
import { readRunsForPrepare } from '../store/runs.ts';
import { type Budget, listKnownSpecs, lockBudgets, markExceeded } from '../store/task-budgets.ts';
import type { Prepared } from './prepare-run.ts';

export interface WithinBudget {
  /** What is to be written: all of it but what is held, now or by an earlier attempt. */
  within: Prepared[];
  /** The definition of each run that is held now. */
  held: string[];
  held_run_ids: string[];
  exceeded: Exceeded[];
}

/** A definition that crosses its limit with this dispatch. */
export interface Exceeded {
  definition_id: string;
  reason: string;
}

/** Costs nothing where no definition among them has the limit. */
export async function keepWithinBudget(
  client: Queryable,
  dispatchId: string,
  prepared: Prepared[],
): Promise<WithinBudget> {
  const limited = prepared.filter(({ max_tasks_per_hour }) => max_tasks_per_hour !== null);
  if (limited.length === 0) return { within: prepared, held: [], held_run_ids: [], exceeded: [] };
  const accounts = await openAccounts(client, dispatchId, limited);
  const fates = new Map(prepared.map((one) => [one.run.run_id, fateOf(accounts, one)]));
  const meeting = (...wanted: (Fate | undefined)[]) =>
    prepared.filter(({ run }) => wanted.includes(fates.get(run.run_id)));
  const withReason = ({ run: { event_uid, definition_id } }: Prepared) => {
    return { event_uid, definition_id, reason: accounts.budgets.get(definition_id)?.exceeded_reason ?? '' };
  };
  const exceeded = meeting('crosses').map(withReason);
  for (const { definition_id, reason } of exceeded) await markExceeded(client, definition_id, reason);
  const beyond = meeting('held');
  const held = await holdDecisions(client, dispatchId, beyond.map(withReason));
  const held_run_ids = beyond.map(({ run }) => run.run_id);
  return { within: meeting('within', 'crosses'), held, held_run_ids, exceeded };
}

interface Accounts {
  budgets: Map<string, Budget>;
  /** Members that are held since an earlier attempt, or were released into another dispatch. */
  elsewhere: ReadonlySet<string>;
  /** Members whose run another attempt has written: their own specs give way. */
  over: ReadonlySet<string>;
  known: ReadonlySet<string>;
}

/** The budgets come first: from then on nobody else commits, holds or releases anything of these definitions. */
async function openAccounts(client: Queryable, dispatchId: string, limited: Prepared[]): Promise<Accounts> {
  const budgets = await lockBudgets(client, [...new Set(limited.map(({ run }) => run.definition_id))]);
  const ofEvents = limited.filter(({ stands }) => !stands).map(({ run }) => run);
  const elsewhere = await listDecisionsElsewhere(client, dispatchId, ofEvents);
  const rows = await readRunsForPrepare(
    client,
    limited.map(({ run }) => run.run_id),
  );
  const over = limited.filter(({ run, stands }) => {
    const row = rows.get(run.run_id);
    return stands ? row?.status !== 'running' : row !== undefined;
  });
  const keys = limited.flatMap(({ tasks }) => tasks.map(({ idempotency_key }) => idempotency_key));
  return {
    budgets,
    elsewhere,
    over: new Set(over.map(({ run }) => run.run_id)),
    known: await listKnownSpecs(client, keys),
  };
}

/** `crosses`: it is written, and is the last. */
type Fate = 'within' | 'crosses' | 'held' | 'elsewhere';

/** Called for each in turn: what it writes counts for the next. */
function fateOf({ budgets, elsewhere, over, known }: Accounts, one: Prepared): Fate {
  const { run, tasks, stands, max_tasks_per_hour: limit } = one;
  const budget = budgets.get(run.definition_id);
  if (limit === null || !budget) return 'within';
  if (elsewhere.has(run.run_id)) return 'elsewhere';
  if (over.has(run.run_id)) return 'within';
  const wasExceeded = budget.exceeded_reason !== null;
  // A pause does not stop a run that has begun.
  if (wasExceeded && !stands) return 'held';
  budget.specs += tasks.filter(({ idempotency_key }) => !known.has(idempotency_key)).length;
  if (wasExceeded || budget.specs <= limit) return 'within';
  budget.exceeded_reason = reasonOf(run.run_id, limit, budget);
  return 'crosses';
}

function reasonOf(runId: string, limit: number, { specs, counted_from }: Budget): string {
  const time = counted_from ? `since it was resumed at ${counted_from}` : 'in the last 60 minutes';
  return `limits.max_tasks_per_hour is ${limit}, and with run ${runId} it made ${specs} specs ${time}`;
}
