/** What a person and a test can do with the stand-in, beyond the contract. Never faulted. */
import { type Answer, answered, notFound, notServed, type Received } from './issue-core-answer.ts';
import { parseHubBody } from './state-hub-api.ts';
import { STATE_HUB_FAULTS, type StateHubFaults, stateHubFaultsSchema } from './state-hub-faults.ts';
import type { ProgressBook } from './state-hub-progress.ts';

export const STATE_HUB_NAME = 'activity-core-state-hub-stand-in';

const ABOUT = {
  name: STATE_HUB_NAME,
  about: 'A stand-in for State Hub, started by activity-core dev; set STATE_HUB_URL to use a real one',
  paths: [
    'GET /workstreams?status=active',
    'GET /tasks?status=open',
    'GET /progress?event_type=&since=',
    'POST /progress',
    'GET /engagements/{slug}',
  ],
  control: [
    'GET /stand-in/progress',
    'DELETE /stand-in/progress/{id}',
    'GET /stand-in/faults',
    'PUT /stand-in/faults {"faults": [], "slow_ms"?}',
  ],
  faults: STATE_HUB_FAULTS,
};

export const isControl = ({ path }: Received): boolean => path === '/' || /^\/stand-in(\/|$)/.test(path);

export function answerStateHubControl(
  received: Received,
  book: ProgressBook,
  faults: StateHubFaults,
): Answer {
  const { method, path, text } = received;
  if (path === '/' || path === '/stand-in')
    return method === 'GET' ? answered(200, ABOUT) : notServed(received);
  if (path === '/stand-in/faults') {
    if (method === 'PUT') {
      const settings = parseHubBody(text, stateHubFaultsSchema);
      if (!settings.ok) return settings.answer;
      faults.set(settings.value);
    } else if (method !== 'GET') return notServed(received);
    return answered(200, faults.inForce());
  }
  if (path === '/stand-in/progress') {
    return method === 'GET' ? answered(200, { items: book.all() }) : notServed(received);
  }
  const [, id] = /^\/stand-in\/progress\/([^/]+)$/.exec(path) ?? [];
  if (id === undefined) return notFound(path);
  if (method !== 'DELETE') return notServed(received);
  return book.remove(id) ? answered(200, { id }) : notFound(`progress ${id}`);
}
