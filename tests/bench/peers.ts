/** Restate and DBOS with the same work, in their own idiom: `--peers`. Their packages are no dependencies of the product. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../src/service/temporal-metrics.ts';
import { createEmptyDatabase, type TestDatabase } from '../setup/database.ts';
import { until } from '../setup/until.ts';
import { type Bench, inRounds } from './bench.ts';
import { type Load, perSecond, sendAll, specsOf } from './events.ts';
import { medianRow, type Row } from './report.ts';
import { boundOf } from './subject.ts';

const FOLDER = fileURLToPath(new URL('./peers/', import.meta.url));
/** Of HTTP requests: more of them at a time gave nothing more. */
const IN_FLIGHT = 64;

export async function measurePeers(bench: Bench): Promise<Row[]> {
  bench.tell('  installing them');
  const fault = await install();
  const rows: Row[] = [];
  for (const peer of PEERS) {
    if (fault) rows.push(unmeasured(peer, fault));
    else rows.push(await measurePeer(bench, peer).catch((error: Error) => unmeasured(peer, error.message)));
  }
  return rows;
}

interface Peer {
  id: string;
  name: string;
  package: string;
  idiom: string;
  /** Resolves when it takes events. */
  start(database: TestDatabase, system: TestDatabase): Promise<RunningPeer>;
}

interface RunningPeer extends AsyncDisposable {
  /** Where an event is posted. */
  url: string;
  /** What its handler said. */
  output(): string;
}

const PEERS: Peer[] = [
  {
    id: 'peers.restate',
    name: 'Restate',
    package: '@restatedev/restate-server',
    idiom: 'handler with two journaled steps, one-way call by HTTP',
    start: startRestate,
  },
  {
    id: 'peers.dbos',
    name: 'DBOS',
    package: '@dbos-inc/dbos-sdk',
    idiom: 'workflow with two steps, started by HTTP',
    start: startDbos,
  },
];

function unmeasured(peer: Peer, fault: string): Row {
  const note = `not measured: ${fault.replaceAll(/\s+/g, ' ').slice(0, 500)}`;
  return { id: peer.id, what: `${peer.name}, ${peer.idiom}`, value: null, unit: 'events/s', note };
}

async function measurePeer(bench: Bench, peer: Peer): Promise<Row> {
  const { servers, options } = bench;
  const load = { events: options.peerEvents, specsOfTen: 8 };
  await using database = await createEmptyDatabase(servers.database_url);
  await using system = await createEmptyDatabase(servers.database_url);
  await using running = await peer.start(database, system);
  const post = async (text: string, id: string) => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': id };
    const answer = await fetch(running.url, { method: 'POST', headers, body: text }).catch((cause) => {
      throw new Error(`${peer.name} did not answer; ${running.output().slice(-1_000)}`, { cause });
    });
    const body = await answer.text();
    if (!answer.ok) throw new Error(`${peer.name} answered ${answer.status}: ${body}`);
  };
  let expected = 0;
  const settled = async ({ events }: Load) => {
    expected += events;
    const isThere = async () =>
      (await database.pool.query('SELECT count(*) AS n FROM runs')).rows[0].n === expected;
    await until(`${peer.name} has made all runs`, isThere, { boundMs: boundOf(events) });
  };
  const warmUp = { ...load, events: Math.min(load.events, 200) };
  await sendAll(warmUp, post, IN_FLIGHT);
  await settled(warmUp);
  const rates = await inRounds(bench, async () => {
    const started = performance.now();
    await sendAll(load, post, IN_FLIGHT);
    await settled(load);
    return perSecond(load.events, performance.now() - started);
  });
  const { rows } = await database.pool.query('SELECT count(*) AS n FROM specs');
  const wanted = specsOf(warmUp) + specsOf(load) * options.rounds;
  if (rows[0].n !== wanted) throw new Error(`${rows[0].n} specs, where there should be ${wanted}`);
  return medianRow(
    peer.id,
    `${peer.name} ${await versionOf(peer.package)}, ${peer.idiom}`,
    'events/s',
    rates,
  );
}

async function versionOf(name: string): Promise<string> {
  const text = await readFile(join(FOLDER, 'node_modules', name, 'package.json'), 'utf8');
  return JSON.parse(text).version;
}

/** Exactly what the lockfile says, and none of their install scripts. Returns what went wrong. */
async function install(): Promise<string | null> {
  const npm = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: FOLDER,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  npm.stderr.on('data', (chunk) => {
    complaint += chunk;
  });
  const [code] = await Promise.race([
    once(npm, 'exit'),
    once(npm, 'error').then(([error]) => [(error as Error).message]),
  ]);
  const line = complaint.split('\n').find((text) => text.startsWith('npm error')) ?? '';
  return code === 0 ? null : `npm ci in tests/bench/peers ended with ${code} ${line}`.trim();
}

async function startDbos(database: TestDatabase, system: TestDatabase): Promise<RunningPeer> {
  const port = await freePort();
  const app = start(process.execPath, [`${FOLDER}dbos-app.js`, database.url, system.url, `${port}`], {});
  await app.says('ready');
  return { url: `http://127.0.0.1:${port}/events`, output: app.output, [Symbol.asyncDispose]: app.end };
}

async function startRestate(database: TestDatabase): Promise<RunningPeer> {
  const binary = `${FOLDER}node_modules/@restatedev/restate-server-${process.platform}-${process.arch}/bin/restate-server`;
  if (!existsSync(binary))
    throw new Error(`there is no Restate server for ${process.platform} ${process.arch}`);
  const [service, ingress, admin, node] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const folder = await mkdtemp(join(tmpdir(), 'activity-core-bench-restate-'));
  const handler = start(process.execPath, [`${FOLDER}restate-service.js`, database.url, `${service}`], {});
  const server = start(binary, ['--no-logo'], {
    DO_NOT_TRACK: '1',
    RESTATE_BASE_DIR: folder,
    RESTATE_NODE_NAME: 'bench',
    RESTATE_LISTEN_MODE: 'tcp',
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
  });
  const end = async () => {
    await Promise.all([handler.end(), server.end()]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await handler.says('ready');
    const register = () =>
      fetch(`http://127.0.0.1:${admin}/deployments`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ uri: `http://127.0.0.1:${service}` }),
      }).then(
        ({ ok }) => ok,
        () => false,
      );
    await until('Restate knows the handler', async () => !server.hasEnded() && register(), {
      boundMs: 60_000,
      context: server.output,
    });
  } catch (error) {
    await end();
    throw error;
  }
  const url = `http://127.0.0.1:${ingress}/metrics/recorded/send`;
  return { url, output: handler.output, [Symbol.asyncDispose]: end };
}

interface PeerProcess {
  /** As a line of its own. */
  says(text: string): Promise<void>;
  hasEnded(): boolean;
  output(): string;
  end(): Promise<void>;
}

function start(file: string, args: string[], environment: Record<string, string>): PeerProcess {
  const child: ChildProcess = spawn(file, args, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const reap = () => child.kill('SIGKILL');
  process.once('exit', reap);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      output += chunk;
    });
  const ended = once(child, 'exit');
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    hasEnded,
    output: () => output,
    async says(text) {
      const isSaid = async () => {
        if (hasEnded()) throw new Error(`it ended: ${output.trim().split('\n').at(-1)}`);
        return output.split('\n').includes(text);
      };
      await until(`it says ${text}`, isSaid, { boundMs: 60_000, context: () => output });
    },
    async end() {
      process.off('exit', reap);
      if (hasEnded()) return;
      child.kill('SIGKILL');
      await ended;
    },
  };
}
