/** What issue-core answers (contract 7), when nothing is wrong with it. */
import { type Answer, answered, notFound, notServed, type Received, refused } from './issue-core-answer.ts';
import { commentBodySchema, parseBody, taskBodySchema } from './issue-core-body.ts';
import type { Made, StandInTask, TaskBook } from './issue-core-tasks.ts';

export const TASKS_PATH = '/api/v1/tasks';

/** `placeOf`: where a person can look at a task. */
export function answerAsIssueCore(
  received: Received,
  book: TaskBook,
  placeOf: (task: StandInTask) => string,
): Answer {
  const { method, path } = received;
  const [, ref, isComments] = /^\/api\/v1\/tasks(?:\/([^/]+)(\/comments)?)?$/.exec(path) ?? [];
  if (path !== TASKS_PATH && ref === undefined) return notFound(path);
  if (ref === undefined) {
    if (method === 'POST') return makeTask(received, book, placeOf);
    return method === 'GET' ? listTasks(received, book, placeOf) : notServed(received);
  }
  const task = book.find(ref);
  if (!task) return notFound(`task ${ref}`);
  if (isComments && method === 'POST') return makeComment(received, book, task);
  if (method !== 'GET') return notServed(received);
  return answered(200, isComments ? { items: task.comments } : view(task, placeOf(task)));
}

function makeTask(received: Received, book: TaskBook, placeOf: (task: StandInTask) => string): Answer {
  const { idempotency_key, text } = received;
  if (!idempotency_key) return withoutKey();
  const body = parseBody(text, taskBodySchema);
  if (!body.ok) return body.answer;
  const made = book.create(idempotency_key, body.value);
  return answerOf(made, { ref: made.task.ref, url: placeOf(made.task) });
}

function makeComment({ idempotency_key, text }: Received, book: TaskBook, task: StandInTask): Answer {
  if (!idempotency_key) return withoutKey();
  const comment = parseBody(text, commentBodySchema);
  if (!comment.ok) return comment.answer;
  return answerOf(book.comment(task, idempotency_key, comment.value.body), { ref: task.ref });
}

function answerOf({ kind }: Made, body: object): Answer {
  if (kind === 'conflict') {
    const message = 'this Idempotency-Key was used before, with another body';
    return refused(422, 'idempotency_conflict', message);
  }
  return answered(kind === 'new' ? 201 : 200, body);
}

const withoutKey = (): Answer => refused(400, 'invalid_request', 'the header Idempotency-Key is missing');

/** A filter that is not known would answer with too much, which reads as a duplicate. */
function listTasks({ query }: Received, book: TaskBook, placeOf: (task: StandInTask) => string): Answer {
  const unknown = [...query.keys()].find((name) => name !== 'dedupe_key' && name !== 'state');
  if (unknown !== undefined)
    return refused(400, 'invalid_request', `${unknown} is no filter: dedupe_key, state`);
  const [dedupeKey, state] = [query.get('dedupe_key'), query.get('state')];
  if (state !== null && state !== 'open' && state !== 'closed') {
    return refused(400, 'invalid_request', `state is ${state}; expected open or closed`);
  }
  const found = book
    .all()
    .filter((task) => dedupeKey === null || task.body.dedupe_key === dedupeKey)
    .filter((task) => state === null || task.state === state);
  return answered(200, { items: found.map((task) => view(task, placeOf(task))) });
}

const view = ({ ref, state, created_at, body }: StandInTask, url: string) => ({
  ref,
  url,
  state,
  created_at,
  ...body,
});
