/** What an operator can do to workflows through Temporal's client. */
import { type Client, type WorkflowExecutionInfo, WorkflowNotFoundError } from '@temporalio/client';
import { createDice } from '../../src/dev/stand-ins/issue-core-faults.ts';

interface Choice {
  workflows: number;
  dice_seed: number;
}

const LOOKED_AT = 30;
const OURS = 'WorkflowType IN ("ActivityRun", "EmitTasks", "CollectEvidence")';
const WORKFLOW_TASK_COMPLETED = 7;
/** gRPC statuses of what cannot be done to this workflow, and of a server that is away. */
const REFUSALS = [3, 4, 5, 9, 14];

/** Some of those that run now; there may be none. */
export async function terminateSome({ workflow }: Client, choice: Choice): Promise<string> {
  return onEach(await chosen(workflow, `${OURS} AND ExecutionStatus = "Running"`, choice), (one) =>
    workflow.getHandle(one.workflowId, one.runId).terminate('chaos'),
  );
}

/** Some of the newest, running or over, back to their first task. */
export async function resetSome({ workflow, workflowService }: Client, choice: Choice): Promise<string> {
  return onEach(await chosen(workflow, OURS, choice), async ({ workflowId, runId }) => {
    const { events } = await workflow.getHandle(workflowId, runId).fetchHistory();
    const first = events?.find(({ eventType }) => eventType === WORKFLOW_TASK_COMPLETED);
    if (!first?.eventId) throw new WorkflowNotFoundError('it has no completed task yet', workflowId, runId);
    return workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId, runId },
      workflowTaskFinishEventId: first.eventId,
      reason: 'chaos',
      requestId: `${workflowId}-${choice.dice_seed}`,
    });
  });
}

async function chosen(
  workflow: Client['workflow'],
  query: string,
  { workflows, dice_seed }: Choice,
): Promise<WorkflowExecutionInfo[]> {
  const dice = createDice(dice_seed);
  const seen: WorkflowExecutionInfo[] = [];
  try {
    for await (const one of workflow.list({ query, pageSize: LOOKED_AT })) {
      seen.push(one);
      if (seen.length >= LOOKED_AT) break;
    }
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  return seen
    .map((one) => ({ one, place: dice() }))
    .toSorted((a, b) => a.place - b.place)
    .slice(0, workflows)
    .map(({ one }) => one);
}

async function onEach(
  workflows: WorkflowExecutionInfo[],
  act: (one: WorkflowExecutionInfo) => Promise<unknown>,
): Promise<string> {
  const done: string[] = [];
  let refused = 0;
  for (const one of workflows) {
    try {
      await act(one);
      done.push(`${one.type} ${one.workflowId}`);
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError) && !isRefusal(error)) throw error;
      refused += 1;
    }
  }
  return [done.join(', ') || 'none', ...(refused > 0 ? [`${refused} refused`] : [])].join('; ');
}

/** Of the client's errors, the one that has gRPC's status stands at the end of the chain. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return (typeof code === 'number' && REFUSALS.includes(code)) || isRefusal(error.cause);
}
