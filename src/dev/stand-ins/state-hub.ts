/** Stands in for State Hub where STATE_HUB_URL is unset: real HTTP on loopback, made-up content. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface StateHubContent {
  /** By slug; `roster_path` is relative to KAIZEN_REPOS_ROOT. */
  engagements: Readonly<Record<string, { roster_path: string }>>;
}

export interface StateHubStandIn {
  /** On a free port, without a slash at its end. */
  url: string;
  /** Idempotent. Does not wait for clients that keep their connection. */
  close(): Promise<void>;
}

interface Answer {
  status: number;
  body: object;
}

const NAME = 'activity-core-state-hub-stand-in';
const ABOUT = {
  name: NAME,
  about: 'A stand-in for State Hub, started by activity-core dev; set STATE_HUB_URL to use a real one',
  paths: ['/engagements/{slug}'],
};

export async function startStateHubStandIn(content: StateHubContent): Promise<StateHubStandIn> {
  const server = createServer((request, response) => {
    const { status, body } = answerTo(request, content);
    const headers = { 'content-type': 'application/json', server: NAME };
    response.writeHead(status, headers).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  let closed: Promise<void> | null = null;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closed;
    },
  };
}

function answerTo({ method, url = '' }: IncomingMessage, { engagements }: StateHubContent): Answer {
  if (method !== 'GET') return refuse(405, 'method_not_allowed', `${method} is not served`);
  const [path = ''] = url.split('?');
  if (path === '/') return { status: 200, body: ABOUT };
  const [, slug] = /^\/engagements\/([^/]+)$/.exec(path) ?? [];
  const known = Object.entries(engagements).find(([name]) => name === slug);
  if (known) return { status: 200, body: { slug, ...known[1] } };
  return refuse(404, 'not_found', `there is no ${slug === undefined ? path : `engagement ${slug}`}`);
}

const refuse = (status: number, error: string, message: string): Answer => ({
  status,
  body: { error, message },
});
