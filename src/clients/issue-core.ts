/** issue-core's HTTP API (contract 7), as far as activity-core uses it. Nothing is retried here, and nothing is thrown. */
import { z } from 'zod';
import { findUnstorable } from '../core/storable.ts';
import { createRedaction, keptText } from './answer-text.ts';
import { type Exchange, exchange } from './http-exchange.ts';
import { parseJson } from './parse-json.ts';
import { retryAfter } from './retry-after.ts';

export interface IssueCoreOptions {
  url: string;
  token: string | undefined;
  /** For a whole exchange, the answer's text included. */
  timeoutMs: number;
}

/**
 * `answered`   a status that was hoped for, with what it has to say
 * `refused`    another status
 * `unreadable` no answer, not all of it, or one that nobody understands; `wasSent`: the request may have arrived
 */
export type IssueCoreAnswer<Body> =
  | { kind: 'answered'; status: number; body: Body }
  | { kind: 'refused'; status: number; fault: IssueCoreFault }
  | { kind: 'unreadable'; status: number | null; fault: IssueCoreFault; wasSent: boolean };

/** None of its texts holds the token. */
export interface IssueCoreFault {
  /** Like `POST /api/v1/tasks`. */
  request: string;
  /** Says what to do next. */
  message: string;
  /** The answer's text, up to 4 KiB; null without one. */
  answer: string | null;
  /** From `Retry-After`, at most a day; null where there is none. */
  retry_after_ms: number | null;
}

export interface IssueCoreClient {
  /** `body`: JSON text, sent as it is. Hopes for 201, 200 or 409, with a reference. */
  createTask(idempotencyKey: string, body: string): Promise<IssueCoreAnswer<{ ref: string }>>;
  /** Hopes for 200. */
  findOpenTasks(dedupeKey: string): Promise<IssueCoreAnswer<{ items: { ref: string }[] }>>;
  /** `idempotencyKey`: the task's own; the comment's is made of it. Hopes for any 2xx, or 409. */
  commentOnTask(ref: string, idempotencyKey: string, text: string): Promise<IssueCoreAnswer<unknown>>;
}

interface Call<Schema extends z.ZodType> {
  method: 'GET' | 'POST';
  path: string;
  query?: string;
  idempotencyKey?: string;
  body?: string;
  isHopedFor: (status: number) => boolean;
  schema: Schema;
}

/** A shorter token may stand in a reference by chance. */
const SHORTEST_SECRET = 8;
/** The longest spelling of one character: `&#x0000002b;` and the like. */
const LONGEST_SPELLING = 16;
const TASKS = '/api/v1/tasks';

export function createIssueCoreClient({ url, token, timeoutMs }: IssueCoreOptions): IssueCoreClient {
  const base = url.replace(/\/+$/, '');
  const redact = createRedaction(token);
  const isSecret = (text: string) => (token?.length ?? 0) >= SHORTEST_SECRET && redact(text) !== text;

  const ref = z
    .string()
    .min(1)
    .max(500)
    .refine((text) => findUnstorable(text) === null, 'cannot be stored')
    .refine((text) => text !== '.' && text !== '..', 'cannot stand in a URL')
    .refine((text) => !isSecret(text), 'holds the token');
  const task = z.object({ ref });
  const openTasks = z.object({ items: z.array(task) });

  async function call<Schema extends z.ZodType>(
    wanted: Call<Schema>,
  ): Promise<IssueCoreAnswer<z.output<Schema>>> {
    const { method, path, query = '', idempotencyKey, body } = wanted;
    const answer = await exchange({
      url: `${base}${path}${query}`,
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      },
      ...(body === undefined ? {} : { body }),
      token,
      timeoutMs,
      setting: 'ISSUE_CORE_URL',
    });
    const faultOf = (message: string): IssueCoreFault => ({
      request: `${method} ${path}`,
      message: redact(message),
      answer: answerOf(answer),
      retry_after_ms: retryAfter(answer.headers),
    });
    const { status } = answer;
    if (answer.broken) {
      const fault = faultOf(`issue-core: ${answer.reason}`);
      return { kind: 'unreadable', status, fault, wasSent: answer.wasSent };
    }
    if (!wanted.isHopedFor(answer.status)) {
      const message = `issue-core answered ${status}${adviceOn(answer.status)}`;
      return { kind: 'refused', status: answer.status, fault: faultOf(message) };
    }
    const json = answer.isCut ? undefined : parseJson(answer.text);
    const checked = wanted.schema.safeParse(json);
    if (checked.success) return { kind: 'answered', status: answer.status, body: checked.data };
    const what = answer.isCut ? 'more than 1 MiB' : wordingOf(json, checked.error);
    const message = `issue-core answered ${status}, and the answer cannot be read (${what}); is ISSUE_CORE_URL right?`;
    return { kind: 'unreadable', status, fault: faultOf(message), wasSent: true };
  }

  function answerOf(answer: Exchange): string | null {
    if (answer.broken || answer.text === '') return null;
    // Where it was cut, its end may be a part of the token, which nothing would find.
    const end = answer.isCut ? -LONGEST_SPELLING * (token?.length ?? 0) || undefined : undefined;
    return keptText(redact(answer.text.slice(0, end)));
  }

  return {
    createTask: (idempotencyKey, body) =>
      call({
        method: 'POST',
        path: TASKS,
        idempotencyKey,
        body,
        isHopedFor: (status) => status === 201 || status === 200 || status === 409,
        schema: task,
      }),
    findOpenTasks: (dedupeKey) =>
      call({
        method: 'GET',
        path: TASKS,
        query: `?dedupe_key=${encodeURIComponent(dedupeKey)}&state=open`,
        isHopedFor: (status) => status === 200,
        schema: openTasks,
      }),
    commentOnTask: (ref, idempotencyKey, text) =>
      call({
        method: 'POST',
        path: `${TASKS}/${encodeURIComponent(ref)}/comments`,
        idempotencyKey: `${idempotencyKey}:comment`,
        body: JSON.stringify({ body: text }),
        isHopedFor: (status) => (status >= 200 && status < 300) || status === 409,
        schema: z.unknown(),
      }),
  };
}

function wordingOf(json: unknown, { issues }: z.ZodError): string {
  if (json === undefined) return 'it is not JSON';
  const { path, message } = issues[0] ?? { path: [], message: 'of another shape' };
  return `${path.join('.') || 'answer'}: ${message}`;
}

function adviceOn(status: number): string {
  if (status === 401) return '; set a valid ISSUE_CORE_TOKEN';
  if (status === 403) return '; set an ISSUE_CORE_TOKEN that may do this';
  if (status === 404 || status === 405) return ', there is nothing of the kind; is ISSUE_CORE_URL right?';
  if (status === 429 || status >= 500) return '; the same may be asked again later';
  if (status >= 400) return ' and will not take this; its answer says why';
  if (status >= 300) return ', a redirect, which is not followed; set ISSUE_CORE_URL to where issue-core is';
  return ', which says nothing about the request; is ISSUE_CORE_URL right?';
}
