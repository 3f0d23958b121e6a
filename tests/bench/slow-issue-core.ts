/** An issue-core that takes its time for each answer and counts how many requests it has in hand. The stand-in of `dev` keeps too much to be fast. */
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SlowIssueCore extends AsyncDisposable {
  url: string;
  figures(): IssueCoreFigures;
}

export interface IssueCoreFigures {
  /** By the key of each, so that a repeated one counts once. */
  tasks: number;
  requests: number;
  /** From the first request to the last answer. */
  milliseconds: number;
  mostInHand: number;
  /** Over that time. */
  meanInHand: number;
}

export async function startSlowIssueCore(answerMs: number): Promise<SlowIssueCore> {
  const refs = new Map<string, string>();
  let [requests, inHand, mostInHand, first, last] = [0, 0, 0, 0, 0];
  // Milliseconds × requests.
  let held = 0;
  let changed = 0;
  const change = (by: 1 | -1) => {
    const now = performance.now();
    if (first === 0) first = now;
    held += inHand * (now - (changed || now));
    changed = now;
    last = now;
    inHand += by;
    mostInHand = Math.max(mostInHand, inHand);
  };

  const server = createServer((request, response) => {
    requests += 1;
    change(1);
    response.once('close', () => change(-1));
    request.resume();
    request.once('end', () => {
      const key = request.headers['idempotency-key'];
      setTimeout(() => answer(response, typeof key === 'string' ? key : null), answerMs);
    });
  });

  function answer(response: ServerResponse, key: string | null): void {
    const known = key === null ? undefined : refs.get(key);
    if (key !== null && !known) refs.set(key, `ISSUE-${refs.size + 1}`);
    const body = key === null ? { items: [] } : { ref: refs.get(key) };
    response.writeHead(key === null || known ? 200 : 201, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    figures: () => ({
      tasks: refs.size,
      requests,
      milliseconds: last - first,
      mostInHand,
      meanInHand: held / (last - first),
    }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
