/** What the demo sees of the stand-in for issue-core, and what it makes go wrong there: its open pages, without a token. */
import { z } from 'zod';
import type { FaultSettings } from '../../dev/stand-ins/issue-core-faults.ts';
import type { StandInTask } from '../../dev/stand-ins/issue-core-tasks.ts';

export type IssueCoreTask = Pick<StandInTask, 'ref' | 'idempotency_key'> & { body: { title: string } };

/** @throws Error where it does not answer */
export interface IssueCore {
  /** Those made, oldest first. */
  tasks(): Promise<IssueCoreTask[]>;
  /** Until disposed. */
  breakDown(faults: FaultSettings): Promise<AsyncDisposable>;
}

const tasksSchema = z.object({
  items: z.array(
    z.object({ ref: z.string(), idempotency_key: z.string(), body: z.object({ title: z.string() }) }),
  ),
});
const TIMEOUT_MS = 10_000;

export function createIssueCore(url: string): IssueCore {
  async function ask(path: string, init: RequestInit = {}): Promise<unknown> {
    const answer = await fetch(`${url}/stand-in/${path}`, {
      ...init,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`issue-core's stand-in answered ${answer.status} to ${path}`);
    return answer.json();
  }
  const setFaults = (faults: FaultSettings) => ask('faults', { method: 'PUT', body: JSON.stringify(faults) });

  return {
    tasks: async () => tasksSchema.parse(await ask('tasks')).items,
    async breakDown(faults) {
      await setFaults(faults);
      return {
        async [Symbol.asyncDispose]() {
          await setFaults({ faults: [] });
        },
      };
    },
  };
}
