/** The tasks that the stand-in holds. A change is in the journal before it is in memory. */
import { isDeepStrictEqual } from 'node:util';
import type { TaskBody } from './issue-core-body.ts';
import type { Change, IssueCoreJournal } from './issue-core-journal.ts';

export interface StandInComment {
  idempotency_key: string;
  body: string;
  created_at: string;
}

export interface StandInTask {
  /** `ISSUE-1`, `ISSUE-2`, … */
  ref: string;
  idempotency_key: string;
  body: TaskBody;
  state: 'open' | 'closed';
  comments: StandInComment[];
  created_at: string;
}

/** `conflict`: the key is known, with another content. */
export type Made = { kind: 'new' | 'known' | 'conflict'; task: StandInTask };

type TaskMade = Extract<Change, { change: 'task' }>;

export interface TaskBook {
  /** Oldest first. */
  all(): StandInTask[];
  find(ref: string): StandInTask | null;
  create(idempotencyKey: string, body: TaskBody): Made;
  comment(task: StandInTask, idempotencyKey: string, body: string): Made;
  setState(task: StandInTask, state: StandInTask['state']): void;
}

export function createTaskBook(journal: IssueCoreJournal): TaskBook {
  const byRef = new Map<string, StandInTask>();
  const byKey = new Map<string, StandInTask>();
  const commentedByKey = new Map<string, { task: StandInTask; body: string }>();
  for (const change of journal.changes) take(change);

  function take(change: Change): void {
    if (change.change === 'task') takeTask(change);
    else takeLater(change, byRef.get(change.ref));
  }

  function takeTask({ ref, idempotency_key, body, at }: TaskMade): StandInTask {
    const task: StandInTask = { ref, idempotency_key, body, state: 'open', comments: [], created_at: at };
    byRef.set(ref, task);
    byKey.set(idempotency_key, task);
    return task;
  }

  function takeLater(change: Exclude<Change, TaskMade>, task: StandInTask | undefined): void {
    if (!task) throw new Error(`the state file names ${change.ref}, which it does not make`);
    if (change.change === 'state') {
      task.state = change.state;
      return;
    }
    const { idempotency_key, body, at } = change;
    task.comments.push({ idempotency_key, body, created_at: at });
    commentedByKey.set(idempotency_key, { task, body });
  }

  function record(change: Exclude<Change, TaskMade>, task: StandInTask): void {
    journal.append(change);
    takeLater(change, task);
  }

  const now = () => new Date().toISOString();
  return {
    all: () => [...byRef.values()],
    find: (ref) => byRef.get(ref) ?? null,
    create(idempotency_key, body) {
      const known = byKey.get(idempotency_key);
      if (known) return { kind: isDeepStrictEqual(known.body, body) ? 'known' : 'conflict', task: known };
      const ref = `ISSUE-${byRef.size + 1}`;
      const change: TaskMade = { change: 'task', ref, idempotency_key, body, at: now() };
      journal.append(change);
      return { kind: 'new', task: takeTask(change) };
    },
    comment(task, idempotency_key, body) {
      const known = commentedByKey.get(idempotency_key);
      if (known) return { kind: known.task === task && known.body === body ? 'known' : 'conflict', task };
      record({ change: 'comment', ref: task.ref, idempotency_key, body, at: now() }, task);
      return { kind: 'new', task };
    },
    setState(task, state) {
      if (task.state !== state) record({ change: 'state', ref: task.ref, state, at: now() }, task);
    },
  };
}
