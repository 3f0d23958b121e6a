/** Stands in for State Hub where STATE_HUB_URL is unset: real HTTP on loopback, made-up content, progress that is kept, faults to switch. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Answer, type Received, refused } from './issue-core-answer.ts';
import { answerAsStateHub, type HubContent } from './state-hub-api.ts';
import { standInContent } from './state-hub-content.ts';
import { answerStateHubControl, isControl, STATE_HUB_NAME } from './state-hub-control.ts';
import { createStateHubFaults, type StateHubFaultSettings } from './state-hub-faults.ts';
import { withInjectedTitles } from './state-hub-injected.ts';
import { openProgressBook, type StandInProgress } from './state-hub-progress.ts';

export interface StateHubStandInOptions {
  engagements: HubContent['engagements'];
  /** What the age of its tasks counts from; now unless given. */
  today?: Date;
  /** JSON lines; the progress that was filed survives a restart. Without one, it is forgotten. */
  stateFile?: string;
}

export interface StateHubStandIn {
  /** On a free port, without a slash at its end. */
  url: string;
  /** What was dropped from the state file. */
  warnings: readonly string[];
  /** Copies, oldest first. */
  progress(): StandInProgress[];
  /** As if it had never been filed. @throws Error where there is none */
  removeProgress(id: string): void;
  /** In the place of all that was set before; `{ faults: [] }` ends them. @throws ZodError */
  setFaults(settings: StateHubFaultSettings): void;
  /** Idempotent. Does not wait for clients that keep their connection. */
  close(): Promise<void>;
}

const RUBBISH = '{"items": [{"title": ';

/** @throws Error where the state file is damaged beyond its last line. */
export async function startStateHubStandIn(options: StateHubStandInOptions): Promise<StateHubStandIn> {
  const { engagements, today = new Date(), stateFile } = options;
  const content: HubContent = { engagements, ...standInContent(today) };
  const injected: HubContent = { ...content, tasks: withInjectedTitles(content.tasks) };
  const book = openProgressBook(stateFile);
  const faults = createStateHubFaults();
  const waiting = new Set<NodeJS.Timeout>();

  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      try {
        handle(receivedOf(request, Buffer.concat(chunks).toString()), response);
      } catch (error) {
        // A full disk, say: nothing of it was taken.
        const message = error instanceof Error ? error.message : String(error);
        send(response, refused(500, 'stand_in_failed', message));
      }
    });
  });

  function handle(received: Received, response: ServerResponse): void {
    if (isControl(received)) {
      send(response, answerStateHubControl(received, book, faults));
      return;
    }
    const answer = answerWithFaults(received);
    if (!faults.has('slow')) {
      send(response, answer);
      return;
    }
    const timer = setTimeout(() => {
      waiting.delete(timer);
      send(response, answer);
    }, faults.inForce().slow_ms);
    waiting.add(timer);
  }

  function answerWithFaults(received: Received): Answer {
    if (faults.has('http_500')) return refused(500, 'internal_error', 'something went wrong');
    const answer = answerAsStateHub(received, faults.has('prompt_injected') ? injected : content, book);
    return faults.has('rubbish') && answer.status < 300 ? { ...answer, body: RUBBISH } : answer;
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let closed: Promise<void> | null = null;
  return {
    url: `http://127.0.0.1:${port}`,
    warnings: book.warnings,
    progress: () => structuredClone([...book.all()]),
    removeProgress(id) {
      if (!book.remove(id)) throw new Error(`there is no progress ${id}`);
    },
    setFaults: faults.set,
    close() {
      closed ??= new Promise((resolve) => {
        for (const timer of waiting) clearTimeout(timer);
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closed;
    },
  };
}

function receivedOf({ method = '', url = '', headers }: IncomingMessage, text: string): Received {
  const [path = '', query] = url.split('?');
  const { authorization = null } = headers;
  return { method, path, query: new URLSearchParams(query), idempotency_key: null, authorization, text };
}

function send(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  response
    .writeHead(status, { 'content-type': 'application/json', server: STATE_HUB_NAME, ...headers })
    .end(text);
}
