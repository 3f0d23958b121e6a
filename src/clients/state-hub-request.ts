/** One request to State Hub: what it answers, checked, or why there is nothing. Nothing is retried here. */
import type { z } from 'zod';
import { createRedaction } from './answer-text.ts';
import { exchange } from './http-exchange.ts';
import { parseJson } from './parse-json.ts';

export interface StateHubOptions {
  /** Without a slash at its end. */
  url: string;
  token: string | undefined;
  /** For a whole exchange, the answer's text included; 10 s unless set. */
  timeoutMs?: number;
}

/** `status`: of the answer, null where there was none. `retryable`: asking again later may help. The token is in no message. */
export class StateHubError extends Error {
  override name = 'StateHubError';
  readonly status: number | null;
  readonly retryable: boolean;

  constructor(message: string, { status, retryable }: { status: number | null; retryable: boolean }) {
    super(message);
    this.status = status;
    this.retryable = retryable;
  }
}

export interface HubRequest<Schema extends z.ZodType> {
  method: 'GET' | 'POST';
  path: string;
  query?: Record<string, string>;
  body?: object;
  /** The statuses that mean that it worked. */
  accepts: readonly number[];
  schema: Schema;
  /** At most; the client's own may be shorter. */
  timeoutMs?: number;
}

export interface HubAnswer<Body> {
  status: number;
  body: Body;
  /** Characters of the answer's text. */
  length: number;
}

/** @throws StateHubError */
export type AskStateHub = <Schema extends z.ZodType>(
  request: HubRequest<Schema>,
) => Promise<HubAnswer<z.output<Schema>>>;

const TIMEOUT_MS = 10_000;
/** A page of many items, of which one may hold a text that is cut only when it is bound. */
const MAX_PAGE_BYTES = 8 * 1024 * 1024;

export function createAskStateHub({ url, token, timeoutMs = TIMEOUT_MS }: StateHubOptions): AskStateHub {
  const redact = createRedaction(token);

  return async function askStateHub(request) {
    const { method, path, query, body, accepts, schema } = request;
    const fail = (what: string, status: number | null, retryable: boolean) =>
      new StateHubError(redact(`State Hub, ${method} ${path}: ${what}`), { status, retryable });
    const reply = await exchange({
      url: `${url}${path}${query ? `?${new URLSearchParams(query)}` : ''}`,
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      token,
      timeoutMs: Math.min(timeoutMs, request.timeoutMs ?? timeoutMs),
      maxAnswerBytes: MAX_PAGE_BYTES,
      setting: 'STATE_HUB_URL',
    });
    if (reply.broken) throw fail(reply.reason, null, true);
    const { status, text, isCut } = reply;
    if (!accepts.includes(status)) {
      throw fail(`it answered ${status}${adviceOn(status)}`, status, isPassing(status));
    }
    const unreadable = (what: string) => fail(`the answer cannot be read (${what})`, status, true);
    if (isCut) throw unreadable('more than 8 MiB');
    const answer = parseJson(text);
    if (answer === undefined) throw unreadable('it is not JSON; is STATE_HUB_URL right?');
    const checked = schema.safeParse(answer);
    if (checked.success) return { status, body: checked.data, length: text.length };
    const { path: field, message } = checked.error.issues[0] ?? { path: [], message: 'of another shape' };
    throw unreadable(`${field.join('.') || 'answer'}: ${message}`);
  };
}

const isPassing = (status: number): boolean =>
  status === 408 || status === 429 || status < 300 || status >= 500;

function adviceOn(status: number): string {
  if (status === 401 || status === 403) return '; set a valid STATE_HUB_TOKEN';
  if (status === 404 || status === 405) return ', there is nothing of the kind; is STATE_HUB_URL right?';
  const isRedirect = status >= 300 && status < 400;
  return isRedirect ? ', a redirect, which is not followed; set STATE_HUB_URL to where State Hub is' : '';
}
