/** State Hub's HTTP API (contract 8), as far as activity-core reads it. Nothing is retried here. */
import { z } from 'zod';
import { parseJson } from './parse-json.ts';

export interface StateHubOptions {
  /** Without a slash at its end. */
  url: string;
  token: string | undefined;
  /** 10 s unless set. */
  timeoutMs?: number;
}

/** @throws StateHubError */
export interface StateHubClient {
  /** `GET /engagements/{slug}`. Null where State Hub knows no such engagement; `roster_path` null where it has none. */
  getEngagement(slug: string): Promise<Engagement | null>;
}

export interface Engagement {
  roster_path: string | null;
}

/** `status`: of the answer, null where there was none. `retryable`: asking again later may help. */
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

const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 1024 * 1024;

const engagement = z.object({
  roster_path: z
    .string()
    .max(4096)
    .nullish()
    .transform((path) => path || null),
});

export function createStateHubClient({
  url,
  token,
  timeoutMs = TIMEOUT_MS,
}: StateHubOptions): StateHubClient {
  /** Null for a 404. */
  async function read<Schema extends z.ZodType>(
    schema: Schema,
    path: string,
  ): Promise<z.output<Schema> | null> {
    const request = `State Hub, GET ${path}`;
    const { status, text } = await exchange(path, request);
    if (status === 404) return null;
    if (status !== 200) throw refusal(request, status);
    const unreadable = (what: string) =>
      new StateHubError(`${request}: the answer cannot be read (${what})`, { status, retryable: true });
    if (text === null) throw unreadable('more than 1 MiB');
    const answer = parseJson(text);
    if (answer === undefined) throw unreadable('it is not JSON; is STATE_HUB_URL right?');
    const checked = schema.safeParse(answer);
    if (checked.success) return checked.data;
    const { path: field, message } = checked.error.issues[0] ?? { path: [], message: 'of another shape' };
    throw unreadable(`${field.join('.') || 'answer'}: ${message}`);
  }

  /** `text` is null where the answer is too long. */
  async function exchange(path: string, request: string): Promise<{ status: number; text: string | null }> {
    try {
      const response = await fetch(`${url}${path}`, {
        headers: { accept: 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
        // Where it leads to is not what the operator set, and may be given the token.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      return { status: response.status, text: await readText(response) };
    } catch (error) {
      throw new StateHubError(`${request}: ${reasonOf(error, timeoutMs)}`, { status: null, retryable: true });
    }
  }

  return {
    getEngagement: (slug) => read(engagement, `/engagements/${encodeURIComponent(slug)}`),
  };
}

async function readText(response: Response): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function refusal(request: string, status: number): StateHubError {
  const retryable = status === 408 || status === 429 || status < 300 || status >= 500;
  return new StateHubError(`${request}: it answered ${status}${adviceOn(status)}`, { status, retryable });
}

function adviceOn(status: number): string {
  if (status === 401 || status === 403) return '; set a valid STATE_HUB_TOKEN';
  const isRedirect = status >= 300 && status < 400;
  return isRedirect ? ', a redirect, which is not followed; set STATE_HUB_URL to where State Hub is' : '';
}

/** Not the message of fetch itself: it may hold the URL, and a URL may hold a password. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return 'the request failed';
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  const { cause } = error;
  if (!(cause instanceof Error)) return 'the request failed';
  const code = 'code' in cause ? String(cause.code) : '';
  if (code === 'ECONNREFUSED') return 'connection refused; is STATE_HUB_URL right?';
  if (code === 'ENOTFOUND') return 'no such host; is STATE_HUB_URL right?';
  return code || cause.message;
}
