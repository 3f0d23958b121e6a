/** Stands in for llm-connect where LLM_CONNECT_URL is unset: real HTTP on loopback, answers made of the schema, faults to switch. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { complete, MODEL } from './llm-connect-completion.ts';
import {
  createFaults,
  FAULTS,
  type Fault,
  type FaultSettings,
  faultSettingsSchema,
} from './llm-connect-faults.ts';
import { type Answer, answered, parseBody, parseCompletionRequest, refused } from './llm-connect-request.ts';

export interface LlmConnectStandInOptions {
  /** Of the faults' dice; 1 unless given. */
  seed?: number;
  /** 0, the default, takes a free one. */
  port?: number;
}

export interface LlmConnectStandIn {
  /** Without a slash at its end. */
  url: string;
  /** What came to `/v1/chat/completions`, oldest first; the last 200. */
  requests(): ReceivedRequest[];
  /** In the place of all that was set before; `{ faults: [] }` ends them. @throws ZodError */
  setFaults(settings: FaultSettings): void;
  /** Idempotent. Cuts every connection, those that hang too. */
  close(): Promise<void>;
}

export interface ReceivedRequest {
  /** As it came. */
  body: string;
  authorization: string | null;
  /** The fault that struck. */
  fault: Fault | null;
  /** What is answered, also while it is slow; null where it hangs. */
  answered: Answer | null;
}

const NAME = 'activity-core-llm-connect-stand-in';
const COMPLETIONS = '/v1/chat/completions';
const MODELS = '/v1/models';
const CONTROL = '/stand-in';
const KEPT_REQUESTS = 200;
const MAX_BODY_BYTES = 8 * 1024 * 1024;
const ABOUT = {
  name: NAME,
  about:
    'A stand-in for llm-connect, started by activity-core dev; set LLM_CONNECT_URL to use a real one. No model: the answers are made of the schema and of the tasks in the prompt',
  paths: [
    `POST ${COMPLETIONS}`,
    `GET ${MODELS}`,
    `GET ${CONTROL}/requests`,
    `GET ${CONTROL}/faults`,
    `PUT ${CONTROL}/faults {"faults": [], "rate": 0..1, "seed"?, "slow_ms"?}`,
  ],
  faults: FAULTS,
};

export async function startLlmConnectStandIn(
  options: LlmConnectStandInOptions = {},
): Promise<LlmConnectStandIn> {
  const { seed = 1, port = 0 } = options;
  const faults = createFaults(seed);
  const requests: ReceivedRequest[] = [];

  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    });
    request.on('end', () => {
      const [path = ''] = url.split('?');
      const text = Buffer.concat(chunks).toString();
      const isCompletion = method === 'POST' && path === COMPLETIONS;
      if (size > MAX_BODY_BYTES) send(response, refused(413, 'the body is too large', 'too_large'));
      else if (isCompletion) handleCompletion(text, headers.authorization ?? null, response);
      else send(response, answerControl(method, path, text));
    });
  });

  function handleCompletion(body: string, authorization: string | null, response: ServerResponse): void {
    const { slow_ms } = faults.inForce();
    const fault = faults.next();
    const answer = answerTo(body, fault);
    requests.push({ body, authorization, fault, answered: answer });
    if (requests.length > KEPT_REQUESTS) requests.shift();
    if (!answer) return;
    if (fault === 'slow') sendLater(response, answer, slow_ms);
    else send(response, answer);
  }

  function answerControl(method: string, path: string, text: string): Answer {
    if (path === `${CONTROL}/faults` && method === 'PUT') {
      const settings = parseBody(text, faultSettingsSchema);
      if (!settings.ok) return settings.answer;
      faults.set(settings.value);
      return answered(faults.inForce());
    }
    const shown = shownAt(path);
    if (!shown) return refused(404, `there is no ${path}`, 'not_found');
    return method === 'GET'
      ? answered(shown())
      : refused(405, `${method} is not served`, 'method_not_allowed');
  }

  function shownAt(path: string): (() => object) | null {
    if (path === '/' || path === CONTROL) return () => ABOUT;
    if (path === MODELS) return () => MODEL_LIST;
    if (path === `${CONTROL}/faults`) return faults.inForce;
    if (path === `${CONTROL}/requests`) return () => ({ items: requests.toReversed().map(readable) });
    return null;
  }

  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const { port: listening } = server.address() as AddressInfo;
  let closed: Promise<void> | null = null;
  return {
    url: `http://127.0.0.1:${listening}`,
    requests: () => [...requests],
    setFaults: faults.set,
    close() {
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closed;
    },
  };
}

const MODEL_LIST = {
  object: 'list',
  data: [{ id: MODEL, object: 'model', created: 0, owned_by: 'activity-core' }],
};

/** Null: never. */
function answerTo(body: string, fault: Fault | null): Answer | null {
  if (fault === 'hang') return null;
  if (fault === 'http_500') return refused(500, 'something went wrong', 'internal_error');
  if (fault === 'http_429') {
    return { ...refused(429, 'slow down', 'rate_limit_exceeded'), headers: { 'retry-after': '1' } };
  }
  const request = parseCompletionRequest(body);
  if (!request.ok) return request.answer;
  if (fault === 'schema_breaking_once') return complete(request.value, 'schema_breaking');
  return complete(request.value, fault === 'slow' ? null : fault);
}

/** As JSON where it is. */
function readable({ body, ...others }: ReceivedRequest): object {
  const parsed = parseCompletionRequest(body);
  return { ...others, body: parsed.ok ? parsed.value : body };
}

function send(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  response
    .writeHead(status, { 'content-type': 'application/json', server: NAME, ...headers })
    .end(JSON.stringify(body));
}

function sendLater(response: ServerResponse, answer: Answer, delayMs: number): void {
  const timer = setTimeout(() => send(response, answer), delayMs);
  // Also where the asker has gone, or the stand-in is closed.
  response.on('close', () => clearTimeout(timer));
}
