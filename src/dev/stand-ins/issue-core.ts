/** Stands in for issue-core where ISSUE_CORE_URL is unset: real HTTP on loopback, tasks that are kept, faults to switch. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, type Received, refused } from './issue-core-answer.ts';
import { answerAsIssueCore, TASKS_PATH } from './issue-core-api.ts';
import { titleOf } from './issue-core-body.ts';
import { answerControl, CONTROL_PATH } from './issue-core-control.ts';
import { createFaults, type Fault, type FaultSettings } from './issue-core-faults.ts';
import { openIssueCoreJournal } from './issue-core-journal.ts';
import { createTaskBook, type StandInTask } from './issue-core-tasks.ts';

export interface IssueCoreStandInOptions {
  token: string;
  /** JSON lines; tasks, keys and comments survive a restart. Without one, all is forgotten. */
  stateFile?: string;
  /** Of the faults' dice; 1 unless given. */
  seed?: number;
  /** 0, the default, takes a free one. */
  port?: number;
}

export interface IssueCoreStandIn {
  /** Without a slash at its end. */
  url: string;
  /** What was dropped from the state file. */
  warnings: readonly string[];
  /** Copies, oldest first. */
  tasks(): StandInTask[];
  /** What came to `/api`, oldest first; the last 20,000. */
  requests(): ReceivedRequest[];
  /** In the place of all that was set before; `{ faults: [] }` ends them. @throws ZodError */
  setFaults(settings: FaultSettings): void;
  closeTask(ref: string): void;
  reopenTask(ref: string): void;
  /** Idempotent. Cuts every connection, those that hang too. */
  close(): Promise<void>;
}

export interface ReceivedRequest {
  method: string;
  /** With the query. */
  path: string;
  idempotency_key: string | null;
  /** As it came. */
  body: string;
  /** The fault that struck. */
  fault: Fault | null;
  /** Its status; `closed` and `hung` are no answers. */
  answered: number | 'closed' | 'hung';
}

const NAME = 'activity-core-issue-core-stand-in';
const KEPT_REQUESTS = 20_000;
const RUBBISH = [
  '<html><body>Bad gateway</body></html>',
  '',
  '{"ref": "ISSUE-',
  '{"ok": true}',
  'null',
  '{"ref": 17}',
];

/** @throws Error where the state file is damaged beyond its last line. */
export async function startIssueCoreStandIn(options: IssueCoreStandInOptions): Promise<IssueCoreStandIn> {
  const { token, stateFile, seed = 1, port = 0 } = options;
  const journal = openIssueCoreJournal(stateFile);
  const book = createTaskBook(journal);
  const faults = createFaults(seed);
  const requests: ReceivedRequest[] = [];

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const received = receivedOf(request, Buffer.concat(chunks).toString());
      try {
        handle(received, request, response);
      } catch (error) {
        // A full disk, say: nothing of it was taken.
        send(
          response,
          refused(500, 'stand_in_failed', error instanceof Error ? error.message : String(error)),
        );
      }
    });
  });

  function handle(received: Received, request: IncomingMessage, response: ServerResponse): void {
    const { method, path, idempotency_key, text: body } = received;
    if (path === '/' || path === CONTROL_PATH || path.startsWith(`${CONTROL_PATH}/`)) {
      send(response, answerControl(received, book, faults));
      return;
    }
    const isAuthorized = received.authorization === `Bearer ${token}`;
    const isNewTask = method === 'POST' && path === TASKS_PATH;
    const fault = isAuthorized ? faults.next(isNewTask ? { title: titleOf(body) } : null) : null;
    const answer = isAuthorized ? answerWith(fault, received) : unauthorized();
    const outcome = typeof answer === 'string' ? answer : answer.status;
    requests.push({ method, path: request.url ?? '', idempotency_key, body, fault, answered: outcome });
    if (requests.length > KEPT_REQUESTS) requests.shift();
    if (answer === 'closed') request.socket.destroy();
    else if (answer !== 'hung') send(response, answer);
  }

  function answerWith(fault: Fault | null, received: Received): Answer | 'closed' | 'hung' {
    const accept = () => answerAsIssueCore(received, book, ({ ref }) => `${url}${CONTROL_PATH}/tasks/${ref}`);
    const acceptPerhaps = () => faults.pick([true, false]) && accept();
    switch (fault) {
      case null:
        return accept();
      case 'http_500':
        acceptPerhaps();
        return refused(500, 'internal_error', 'something went wrong');
      case 'http_429':
        return { ...refused(429, 'too_many_requests', 'slow down'), headers: { 'retry-after': '1' } };
      case 'http_409_known': {
        const answer = accept();
        return answer.status === 200 ? { ...answer, status: 409 } : answer;
      }
      case 'close_after_accepting':
        accept();
        return 'closed';
      case 'close_before_accepting':
        return 'closed';
      case 'hang':
        acceptPerhaps();
        return 'hung';
      case 'rubbish': {
        const answer = accept();
        return answer.status < 300 ? { ...answer, body: faults.pick(RUBBISH) } : answer;
      }
      case 'reject_400':
        return refused(400, 'rejected', 'this task is not taken');
      case 'unauthorized':
        return unauthorized();
    }
  }

  function setState(ref: string, state: StandInTask['state']): void {
    const task = book.find(ref);
    if (!task) throw new Error(`there is no task ${ref}`);
    book.setState(task, state);
  }

  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let closed: Promise<void> | null = null;
  return {
    url,
    warnings: journal.warnings,
    tasks: () => structuredClone(book.all()),
    requests: () => [...requests],
    setFaults: faults.set,
    closeTask: (ref) => setState(ref, 'closed'),
    reopenTask: (ref) => setState(ref, 'open'),
    close() {
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closed;
    },
  };
}

function receivedOf({ method = '', url = '', headers }: IncomingMessage, text: string): Received {
  const [path = '', query] = url.split('?');
  const { authorization = null, 'idempotency-key': key } = headers;
  return {
    method,
    path,
    query: new URLSearchParams(query),
    idempotency_key: typeof key === 'string' && key.trim() !== '' ? key : null,
    authorization,
    text,
  };
}

function send(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', server: NAME, ...headers }).end(text);
}

const unauthorized = (): Answer => ({
  ...refused(401, 'unauthorized', 'the bearer token is missing or wrong'),
  headers: { 'www-authenticate': 'Bearer' },
});
