/** Which loopback ports the servers get: those of the last start, else the usual ones, else free ones. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { hasCode } from './process-identity.ts';
import type { Log, Ports } from './protocol.ts';

export const DEFAULT_PORTS: Ports = { temporal: 7233, temporal_ui: 8233, nats: 4222, postgres: 5432 };

// Below the range from which systems take the ports of outgoing connections: a port from there can be taken by a
// client that reconnects to a server that is down, which then talks to itself and keeps the server from coming back.
const FREE_PORTS = { from: 20_000, to: 32_000 };
const FREE_PORT_TRIES = 200;

export interface PortWishes {
  needed: (keyof Ports)[];
  /** What the caller asked for; 0 stands for any free port. */
  wanted: Partial<Ports>;
  /** What the last start on this state folder had. */
  recorded: Partial<Ports>;
}

export async function choosePorts(wishes: PortWishes, log: Log): Promise<Partial<Ports>> {
  const chosen: Partial<Ports> = {};
  for (const name of wishes.needed) {
    const taken = Object.values(chosen);
    const { preferred, fallbacks } = candidates(name, wishes);
    let port = 0;
    for (const candidate of [...preferred, ...fallbacks]) {
      if (port === 0 && !taken.includes(candidate) && (await isFree(candidate))) port = candidate;
    }
    chosen[name] = port || (await freePort(taken));
    const [first] = preferred;
    if (first !== undefined && first !== chosen[name]) {
      log('the port is busy, another one is used', { port_of: name, busy: first, used: chosen[name] });
    }
  }
  return chosen;
}

export async function freePort(taken: number[]): Promise<number> {
  for (let tries = 0; tries < FREE_PORT_TRIES; tries += 1) {
    const port = randomInt(FREE_PORTS.from, FREE_PORTS.to);
    if (!taken.includes(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port found between ${FREE_PORTS.from} and ${FREE_PORTS.to}`);
}

function candidates(name: keyof Ports, { wanted, recorded }: PortWishes) {
  const last = recorded[name] === undefined ? [] : [recorded[name]];
  if (wanted[name] === 0) return { preferred: last, fallbacks: [] };
  if (wanted[name] !== undefined) return { preferred: [wanted[name]], fallbacks: last };
  return { preferred: [...last, DEFAULT_PORTS[name]], fallbacks: [] };
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => {
      if (hasCode(error, 'EADDRINUSE') || hasCode(error, 'EACCES')) resolve(false);
      else reject(error);
    });
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
