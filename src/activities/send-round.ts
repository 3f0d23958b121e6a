/**
 * Every pending spec of a dispatch, tried once: those of one dedupe key one after the other, the rest side by side. The
 * first goes alone, so that a wrong token costs one request; a sink that is down costs a few.
 */
import type { Definition } from '../core/definition.ts';
import type { SinkFault } from '../sinks/sink.ts';
import type { OutboxTask } from '../store/outbox.ts';
import { type SendDeps, type Sent, sendTask } from './send-task.ts';

export const CONCURRENCY = 8;
/** Setbacks in a row after which the sink is taken to be down. */
const MAX_SETBACKS = 10;

export interface Round {
  ended: number;
  /** The last setback; null where there was none. */
  fault: SinkFault | null;
  /** The answer that stopped everything. */
  unauthorized: SinkFault | null;
}

export interface RoundOptions {
  onDuplicateOf(task: OutboxTask): Definition['on_duplicate'];
  signal: AbortSignal;
}

export async function sendRound(
  deps: SendDeps,
  tasks: readonly OutboxTask[],
  { onDuplicateOf, signal }: RoundOptions,
): Promise<Round> {
  const round: Round = { ended: 0, fault: null, unauthorized: null };
  let setbacks = 0;
  const thrown: unknown[] = [];
  const isOver = () =>
    signal.aborted || round.unauthorized !== null || setbacks >= MAX_SETBACKS || thrown.length > 0;

  async function send(task: OutboxTask): Promise<Sent['is']> {
    const sent = await sendTask(deps, task, { onDuplicate: onDuplicateOf(task), isOver });
    if (sent.is === 'ended') {
      round.ended += 1;
      setbacks = 0;
    } else if (sent.is !== 'blocked') {
      setbacks += 1;
      round.fault = sent.fault;
      if (sent.is === 'unauthorized') round.unauthorized = sent.fault;
    }
    return sent.is;
  }

  /** Behind one that is blocked or not answered yet, the others of its key would only ask in vain. */
  async function sendGroup(group: readonly OutboxTask[]): Promise<void> {
    for (const task of group) {
      if (isOver() || (await send(task)) !== 'ended') return;
    }
  }

  const waiting = groupsOf(tasks).values();
  /** A loop that fails stops the others too, and is told when they have stopped: nothing is sent behind anybody's back. */
  async function sendWaiting(): Promise<void> {
    for (const group of waiting) {
      if (isOver()) return;
      await sendGroup(group).catch((error: unknown) => thrown.push(error));
    }
  }

  for (const group of waiting) {
    const [alone, ...rest] = group;
    const is = alone ? await send(alone) : 'blocked';
    if (is === 'ended') await sendGroup(rest);
    if (is !== 'blocked' || isOver()) break;
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, sendWaiting));
  if (thrown.length > 0) throw thrown[0];
  return round;
}

/** Posted ones come first: what became of them decides what the others of their key are. */
function groupsOf(tasks: readonly OutboxTask[]): OutboxTask[][] {
  const sorted = tasks.toSorted((a, b) => b.unanswered_posts - a.unanswered_posts);
  const groups = Map.groupBy(sorted, ({ dedupe_key, idempotency_key }) =>
    dedupe_key === null ? `task ${idempotency_key}` : `key ${dedupe_key}`,
  );
  return [...groups.values()];
}
