/** What a person and a test can do with the stand-in, beyond the contract. Open, and never faulted. */
import { type Answer, answered, notFound, notServed, type Received } from './issue-core-answer.ts';
import { parseBody } from './issue-core-body.ts';
import { FAULTS, type Faults, faultSettingsSchema } from './issue-core-faults.ts';
import type { TaskBook } from './issue-core-tasks.ts';

export const CONTROL_PATH = '/stand-in';

const ABOUT = {
  name: 'activity-core-issue-core-stand-in',
  about: 'A stand-in for issue-core, started by activity-core dev; set ISSUE_CORE_URL to use a real one',
  with_the_token: [
    'POST /api/v1/tasks',
    'GET /api/v1/tasks?dedupe_key=&state=open|closed',
    'GET /api/v1/tasks/{ref}',
    'POST /api/v1/tasks/{ref}/comments',
    'GET /api/v1/tasks/{ref}/comments',
  ],
  open: [
    'GET /stand-in/tasks',
    'GET /stand-in/tasks/{ref}',
    'POST /stand-in/tasks/{ref}/close',
    'POST /stand-in/tasks/{ref}/reopen',
    'GET /stand-in/faults',
    'PUT /stand-in/faults {"faults": [], "rate": 0..1, "seed"?, "reject_title"?}',
  ],
  faults: FAULTS,
};

export function answerControl(received: Received, book: TaskBook, faults: Faults): Answer {
  const { method, path, text } = received;
  if (path === '/' || path === CONTROL_PATH)
    return method === 'GET' ? answered(200, ABOUT) : notServed(received);
  if (path === `${CONTROL_PATH}/faults`) {
    if (method === 'PUT') {
      const settings = parseBody(text, faultSettingsSchema);
      if (!settings.ok) return settings.answer;
      faults.set(settings.value);
    } else if (method !== 'GET') return notServed(received);
    return answered(200, faults.inForce());
  }
  if (path === `${CONTROL_PATH}/tasks`) {
    return method === 'GET' ? answered(200, { items: book.all() }) : notServed(received);
  }
  const [, ref, action] = /^\/stand-in\/tasks\/([^/]+)(?:\/(close|reopen))?$/.exec(path) ?? [];
  if (ref === undefined) return notFound(path);
  const task = book.find(ref);
  if (!task) return notFound(`task ${ref}`);
  if (method !== (action ? 'POST' : 'GET')) return notServed(received);
  if (action) book.setState(task, action === 'close' ? 'closed' : 'open');
  return answered(200, task);
}
