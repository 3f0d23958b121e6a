/** One bounded HTTP exchange: nothing is retried, nothing is thrown, no redirect is followed. */

export interface ExchangeRequest {
  /** May hold userinfo, which is not sent. */
  url: string;
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: string;
  token: string | undefined;
  /** For the whole exchange, the answer's text included. */
  timeoutMs: number;
  /** Of the answer; 1 MiB unless set. */
  maxAnswerBytes?: number;
  /** The environment variable that holds the URL, for advice. */
  setting: string;
}

/**
 * `broken`: no answer, or not all of it; `status` and `headers` where they came. `wasSent`: the request may have arrived.
 * `isCut`: `text` is only the beginning.
 */
export type Exchange =
  | { broken: false; status: number; headers: Headers; text: string; isCut: boolean }
  | { broken: true; status: number | null; headers: Headers; reason: string; wasSent: boolean };

export const MAX_ANSWER_BYTES = 1024 * 1024;
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

export async function exchange(request: ExchangeRequest): Promise<Exchange> {
  const { method, body, token, timeoutMs, setting } = request;
  let response: Response | null = null;
  try {
    response = await fetch(withoutUserinfo(request.url), {
      method,
      headers: { ...request.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) },
      ...(body === undefined ? {} : { body }),
      // Where it leads to is not what the operator set, and may be given the token.
      redirect: 'manual',
      signal: AbortSignal.timeout(Math.min(timeoutMs, LONGEST_TIMER_MS)),
    });
    const { status, headers } = response;
    return { broken: false, status, headers, ...(await readText(response, request)) };
  } catch (error) {
    const { status = null, headers = new Headers() } = response ?? {};
    return {
      broken: true,
      status,
      headers,
      reason: reasonOf(error, timeoutMs, setting),
      wasSent: !wasRefused(error),
    };
  }
}

/** There was no connection that it could have gone over. */
function wasRefused(error: unknown): boolean {
  return isRefusal(codeOf(error instanceof Error ? error.cause : null));
}

/** Empty without one. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

export function isRefusal(code: string): boolean {
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT'].includes(code);
}

/** fetch refuses a URL with a user or password in it, and tells it in its message. */
export function withoutUserinfo(url: string): URL {
  const target = new URL(url);
  target.username = '';
  target.password = '';
  return target;
}

async function readText(
  response: Response,
  { maxAnswerBytes = MAX_ANSWER_BYTES }: Pick<ExchangeRequest, 'maxAnswerBytes'>,
): Promise<{ text: string; isCut: boolean }> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxAnswerBytes) break;
  }
  const bytes = Buffer.concat(chunks).subarray(0, maxAnswerBytes);
  return { text: new TextDecoder().decode(bytes), isCut: length > maxAnswerBytes };
}

/** Not the message of fetch itself: it may hold the URL, and a URL may hold a password. */
function reasonOf(error: unknown, timeoutMs: number, setting: string): string {
  if (!(error instanceof Error)) return 'the request failed';
  if (error.name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  const { cause } = error;
  if (!(cause instanceof Error)) return `the request cannot be made; are ${setting} and its token right?`;
  return reasonOfCode(codeOf(cause), setting) ?? cause.message;
}

/** Null without a code. */
export function reasonOfCode(code: string, setting: string): string | null {
  if (code === 'ECONNREFUSED') return `connection refused; is ${setting} right?`;
  if (code === 'ENOTFOUND') return `no such host; is ${setting} right?`;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return `no connection in time; is ${setting} right?`;
  if (code === 'UND_ERR_SOCKET' || code === 'ECONNRESET') return 'the connection broke off';
  return code || null;
}
