/**
 * One bounded HTTP exchange with a server that may be silent for minutes. As `http-exchange.ts`, but not over `fetch`: that
 * gives up on its own after five minutes without an answer's headers, whatever time-out is set.
 */
import { type ClientRequest, type IncomingMessage, request as requestOverHttp } from 'node:http';
import { request as requestOverHttps } from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import {
  codeOf,
  type Exchange,
  type ExchangeRequest,
  LONGEST_TIMER_MS,
  MAX_ANSWER_BYTES,
  reasonOfCode,
  withoutUserinfo,
} from './http-exchange.ts';

/** `signal`: ends the exchange early; it is broken then. */
export type LongExchangeRequest = Omit<ExchangeRequest, 'token'> & { signal?: AbortSignal | undefined };

/** Routers between forget a connection on which nothing is sent. */
const KEEP_ALIVE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;

export async function longExchange(request: LongExchangeRequest): Promise<Exchange> {
  const { timeoutMs, signal, setting } = request;
  const timeout = AbortSignal.timeout(Math.min(timeoutMs, LONGEST_TIMER_MS));
  const head: AnswerHead = { status: null, headers: new Headers() };
  const connection: Connection = { isEstablished: false };
  try {
    const ended = signal ? AbortSignal.any([timeout, signal]) : timeout;
    const { text, isCut } = await ask(request, head, { connection, signal: ended });
    return { broken: false, status: head.status ?? 0, headers: head.headers, text, isCut };
  } catch (error) {
    // A URL that is none, or of another protocol, has a code too.
    const code = error instanceof TypeError ? '' : codeOf(error);
    let reason = reasonOfCode(code, setting) ?? `the request cannot be made; is ${setting} right?`;
    if (timeout.aborted) reason = `no answer within ${timeoutMs / 1000} s`;
    else if (signal?.aborted) reason = 'the request was given up';
    return { broken: true, ...head, reason, wasSent: connection.isEstablished };
  }
}

interface Connection {
  /** With TLS: when that is agreed on. Before, nothing of the request has left. */
  isEstablished: boolean;
}

interface AnswerHead {
  status: number | null;
  headers: Headers;
}

async function ask(
  { url, method, headers, body }: LongExchangeRequest,
  head: AnswerHead,
  { connection, signal }: { connection: Connection; signal: AbortSignal },
): Promise<{ text: string; isCut: boolean }> {
  const target = withoutUserinfo(url);
  const send = target.protocol === 'https:' ? requestOverHttps : requestOverHttp;
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const sent = send(target, { method, headers: { ...headers, ...length }, agent: false, signal });
  sent.on('socket', (socket) => watchConnection(socket, sent, connection));
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    // An answer that is no answer, like an upgrade nobody asked for, ends in a `close` alone.
    const closed = () =>
      reject(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' }));
    sent.on('response', resolve).on('error', reject).on('close', closed).end(body);
  });
  head.status = response.statusCode ?? null;
  head.headers = headersOf(response);
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop early destroys the response, and with it the connection.
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) break;
  }
  const bytes = Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES);
  return { text: new TextDecoder().decode(bytes), isCut: size > MAX_ANSWER_BYTES };
}

/** A host that swallows everything is told of soon, and not when the answer is due. */
function watchConnection(socket: Socket, sent: ClientRequest, connection: Connection): void {
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  const tooLate = Object.assign(new Error('no connection'), { code: 'UND_ERR_CONNECT_TIMEOUT' });
  const timer = setTimeout(() => sent.destroy(tooLate), CONNECT_TIMEOUT_MS);
  const stop = () => clearTimeout(timer);
  socket.once('close', stop).once(socket instanceof TLSSocket ? 'secureConnect' : 'connect', () => {
    stop();
    connection.isEstablished = true;
  });
}

function headersOf({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(headersDistinct)) {
    for (const value of values) headers.append(name, value);
  }
  return headers;
}
