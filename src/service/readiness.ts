/** `/readyz`: whether each of the four things that the service needs is there (contract 5). */
import type { AppliedRegistry } from '../definitions/applied-registry.ts';
import type { Pool } from '../store/pool.ts';
import { within } from '../telemetry/within.ts';

export interface Check {
  ok: boolean;
  message: string;
}

export interface ReadinessDeps {
  pool: Pool;
  registry: AppliedRegistry;
  temporal: () => Check | Promise<Check>;
  nats: () => Check;
  isStopping: () => boolean;
}

const BOUND_MS = 3_000;

export function createChecks(deps: ReadinessDeps): () => Promise<Record<string, Check>> {
  return async function checks() {
    const [postgres, definitions, temporal] = await Promise.all([
      check(async () => void (await deps.pool.query('SELECT 1'))),
      check(() => everythingCompiles(deps.registry)),
      deps.temporal(),
    ]);
    const found: Record<string, Check> = { postgres, nats: deps.nats(), temporal, definitions };
    if (deps.isStopping()) found.service = { ok: false, message: 'stopping' };
    return found;
  };
}

export async function check(work: () => Promise<void>): Promise<Check> {
  try {
    await within(BOUND_MS, `no answer within ${BOUND_MS} ms`, work);
    return { ok: true, message: 'ok' };
  } catch (error) {
    return { ok: false, message: (error as Error).message || String(error) };
  }
}

async function everythingCompiles(registry: AppliedRegistry): Promise<void> {
  const { definitions, eventTypeProblems } = await registry.current();
  const problems = [
    ...definitions.flatMap(({ definition_id, problem }) => (problem ? [`${definition_id}: ${problem}`] : [])),
    ...[...eventTypeProblems].map(([type, problem]) => `${type}: ${problem}`),
  ];
  if (problems.length > 0) throw new Error(problems.join('; '));
}
