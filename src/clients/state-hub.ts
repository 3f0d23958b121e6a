/** State Hub's HTTP API (contract 8), as far as activity-core reads it. Nothing is retried here. */
import { z } from 'zod';
import { exchange } from './http-exchange.ts';
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
    const reply = await exchange({
      url: `${url}${path}`,
      method: 'GET',
      headers: { accept: 'application/json' },
      token,
      timeoutMs,
      setting: 'STATE_HUB_URL',
    });
    if (reply.broken) {
      throw new StateHubError(`${request}: ${reply.reason}`, { status: null, retryable: true });
    }
    const { status, text, isCut } = reply;
    if (status === 404) return null;
    if (status !== 200) throw refusal(request, status);
    const unreadable = (what: string) =>
      new StateHubError(`${request}: the answer cannot be read (${what})`, { status, retryable: true });
    if (isCut) throw unreadable('more than 1 MiB');
    const answer = parseJson(text);
    if (answer === undefined) throw unreadable('it is not JSON; is STATE_HUB_URL right?');
    const checked = schema.safeParse(answer);
    if (checked.success) return checked.data;
    const { path: field, message } = checked.error.issues[0] ?? { path: [], message: 'of another shape' };
    throw unreadable(`${field.join('.') || 'answer'}: ${message}`);
  }

  return {
    getEngagement: (slug) => read(engagement, `/engagements/${encodeURIComponent(slug)}`),
  };
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
