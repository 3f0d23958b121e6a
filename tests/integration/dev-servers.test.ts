import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { endProcess } from '../../src/dev/servers/process-identity.ts';
import { canEnter, unprivilegedUser } from '../../src/dev/servers/unprivileged-user.ts';
import {
  defaultCacheDir,
  type ServerExit,
  type Servers,
  type StartServersOptions,
  startServers,
} from '../../src/dev/servers.ts';
import { allGone, isGone, query, startOwner, withStreams, withTemporal } from '../setup/servers-clients.ts';

const FREE_PORTS = { temporal: 0, temporal_ui: 0, nats: 0, postgres: 0 };
/** Never connected to: what stands here is not started. */
const ELSEWHERE = {
  temporal_address: 'temporal.invalid:7233',
  nats_url: 'nats://nats.invalid:4222',
  database_url: 'postgresql://postgres.invalid/activity_core',
};
const { temporal_address, nats_url, database_url } = ELSEWHERE;
const IS_ROOT = process.getuid?.() === 0;
const folders: string[] = [];

function temporaryFolder(mode = 0o755): string {
  const folder = mkdtempSync(join(tmpdir(), 'activity-core-test-'));
  chmodSync(folder, mode);
  folders.push(folder);
  return folder;
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function serverOptions(stateDir: string, more: Partial<StartServersOptions> = {}) {
  const cacheDir = process.env.ACTIVITY_CORE_CACHE ?? defaultCacheDir();
  return {
    stateDir,
    cacheDir,
    path: process.env.PATH ?? '',
    ports: FREE_PORTS,
    log: () => undefined,
    ...more,
  };
}

describe('a set of servers', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'activity-core-test-'));
  const exits: ServerExit[] = [];
  let servers: Servers;
  beforeAll(async () => {
    servers = await startServers(
      serverOptions(stateDir, { ephemeral: true, onExit: (exit) => exits.push(exit) }),
    );
  });
  afterAll(async () => {
    await servers.close();
    expect(existsSync(stateDir)).toBe(false);
  });

  test('PostgreSQL 18 answers, with the settings that keep commits, and asks for a password', async () => {
    const settings = `SELECT current_setting('server_version_num')::int / 10000, current_setting('fsync'),
      current_setting('synchronous_commit'), current_setting('listen_addresses'), current_setting('server_encoding')`;
    expect(await query(servers.database_url, settings)).toEqual([[18, 'on', 'on', '127.0.0.1', 'UTF8']]);
    const wrongPassword = servers.database_url.replace(/:[^:@]+@/, ':wrong@');
    await expect(query(wrongPassword, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
  });

  test('NATS answers with JetStream, which flushes each message', async () => {
    expect(await withStreams(servers.nats_url, (manager) => manager.getAccountInfo())).toMatchObject({
      streams: 0,
    });
    const configuration = readFileSync(join(stateDir, 'nats', 'nats-server.conf'), 'utf8');
    expect(configuration).toMatch('sync_interval: always');
    expect(configuration).toMatch('listen: "127.0.0.1:');
  });

  test('Temporal answers, keeps closed workflows for 30 days, and shows its web UI', async () => {
    const namespace = 'default';
    const description = await withTemporal(servers.temporal_address, (client) =>
      client.workflowService.describeNamespace({ namespace }),
    );
    expect(Number(description.config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 86_400);
    const ui = await fetch(servers.temporal_ui_url ?? '');
    expect(ui.status).toBe(200);
  });

  test('a second start on a living state folder is refused with the pid of its owner', async () => {
    await expect(startServers(serverOptions(stateDir))).rejects.toThrow(`in use by process ${process.pid}`);
    expect(await query(servers.database_url, 'SELECT 1')).toEqual([[1]]);
  });

  test('each server that is killed is told of, and restarts on its port with its data', async () => {
    await query(servers.database_url, 'CREATE TABLE kept AS SELECT 7 AS value');
    for (const name of ['postgres', 'nats', 'temporal'] as const) {
      const pid = servers.processes[name] ?? 0;
      process.kill(pid, 'SIGKILL');
      await expect.poll(() => exits.at(-1)).toMatchObject({ name, pid, signal: 'SIGKILL' });
      expect(servers.processes[name]).toBeUndefined();
      await servers.restart(name);
      expect(servers.processes[name]).not.toBe(pid);
    }
    expect(await servers.failed).toMatchObject({ message: expect.stringContaining('postgres') });
    expect(await query(servers.database_url, 'SELECT value FROM kept')).toEqual([[7]]);
    expect(await withStreams(servers.nats_url, (manager) => manager.getAccountInfo())).toMatchObject({
      streams: 0,
    });
  });

  test('a server that is stopped on purpose stays down, without an alarm, until it is restarted', async () => {
    const alarms = exits.length;
    await servers.stop('nats');
    await expect(connect({ servers: servers.nats_url, reconnect: false })).rejects.toThrow();
    await servers.restart('nats');
    expect(await withStreams(servers.nats_url, (manager) => manager.getAccountInfo())).toMatchObject({
      streams: 0,
    });
    expect(exits.length).toBe(alarms);
  });
});

test('all data survives a kill of every process at once', async () => {
  const stateDir = temporaryFolder();
  const owner = await startOwner(serverOptions(stateDir));
  await query(owner.addresses.database_url, 'CREATE TABLE kept AS SELECT 42 AS value');
  await withStreams(owner.addresses.nats_url, async (manager) => {
    await manager.streams.add({ name: 'KEPT', subjects: ['kept'] });
    await manager.jetstream().publish('kept', 'a message');
  });
  await withTemporal(owner.addresses.temporal_address, (client) =>
    client.workflow.start('never', { taskQueue: 'nobody', workflowId: 'kept' }),
  );

  const { supervisor = 0, ...rest } = owner.processes;
  for (const pid of [owner.process.pid ?? 0, supervisor, ...Object.values(rest)])
    process.kill(pid, 'SIGKILL');

  await using servers = await startServers(serverOptions(stateDir));
  expect(servers).toMatchObject(owner.addresses);
  expect(await query(servers.database_url, 'SELECT value FROM kept')).toEqual([[42]]);
  const kept = await withStreams(servers.nats_url, (manager) =>
    manager.streams.getMessage('KEPT', { seq: 1 }),
  );
  expect(kept?.string()).toBe('a message');
  const workflow = await withTemporal(servers.temporal_address, (client) =>
    client.workflow.getHandle('kept').describe(),
  );
  expect(workflow.status.name).toBe('RUNNING');
});

test('the servers stop and an ephemeral folder goes when their owner is killed', async () => {
  const stateDir = temporaryFolder();
  const owner = await startOwner(serverOptions(stateDir, { ephemeral: true }));
  expect(Object.keys(owner.processes).sort()).toEqual(['nats', 'postgres', 'supervisor', 'temporal']);
  owner.process.kill('SIGKILL');
  await allGone(owner.processes).toBe(true);
  expect(existsSync(stateDir)).toBe(false);
});

test('a server left by a killed supervisor is ended by the next start; external ones are not started', async () => {
  const stateDir = temporaryFolder();
  const options = serverOptions(stateDir, { use: { temporal_address, database_url } });
  const owner = await startOwner(options);
  const { supervisor = 0, nats = 0 } = owner.processes;
  for (const pid of [owner.process.pid ?? 0, supervisor]) process.kill(pid, 'SIGKILL');
  expect(isGone(nats)).toBe(false);

  const said: string[] = [];
  await using servers = await startServers({ ...options, log: (message) => said.push(message) });
  expect(said).toContain('ending a server that an earlier instance left');
  expect(isGone(nats)).toBe(true);
  expect(servers).toMatchObject({ temporal_address, temporal_ui_url: null, database_url });
  expect(Object.keys(servers.processes).sort()).toEqual(['nats', 'supervisor']);
});

test('a supervisor that is killed takes its servers with it while the owner lives', async () => {
  const options = serverOptions(temporaryFolder(), { use: { temporal_address, database_url } });
  await using servers = await startServers(options);
  const { supervisor = 0, nats = 0 } = servers.processes;
  process.kill(supervisor, 'SIGKILL');
  expect((await servers.failed).message).toContain('supervisor');
  await expect.poll(() => isGone(nats)).toBe(true);
  await expect(servers.restart('nats')).rejects.toThrow();
});

test('a busy port is replaced by a free one, which is said and kept', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  onTestFinished(() => void blocker.close());
  const address = blocker.address();
  const busy = address !== null && typeof address === 'object' ? address.port : 0;

  const said: unknown[] = [];
  const options = serverOptions(temporaryFolder(), { use: { temporal_address, database_url } });
  const first = await startServers({
    ...options,
    ports: { nats: busy },
    log: (...entry) => said.push(entry),
  });
  await first.close();
  expect(said).toContainEqual(['the port is busy, another one is used', expect.objectContaining({ busy })]);
  expect(first.nats_url).not.toContain(String(busy));

  await using second = await startServers(options);
  expect(second.nats_url).toBe(first.nats_url);
});

test('a start that is aborted ends and leaves no process', async () => {
  const stopping = new AbortController();
  const log = (message: string) => message === 'started' && stopping.abort();
  const stateDir = temporaryFolder();
  await expect(startServers(serverOptions(stateDir, { log, signal: stopping.signal }))).rejects.toThrow(
    'aborted',
  );
  expect(existsSync(join(stateDir, 'instance.json'))).toBe(false);
});

test('a server that cannot start is told with its last lines', async () => {
  const path = temporaryFolder();
  writeFileSync(join(path, 'nats-server'), '#!/bin/sh\necho the disk is on fire\nexit 3\n', { mode: 0o755 });
  const options = serverOptions(temporaryFolder(), { path, use: { temporal_address, database_url } });
  await expect(startServers(options)).rejects.toThrow(
    /nats did not start: .*exit code 3[\s\S]*the disk is on fire/,
  );
});

test('without a program, a cache or Go, the error says what to do', async () => {
  const options = serverOptions(temporaryFolder(), {
    cacheDir: temporaryFolder(),
    path: '',
    use: { temporal_address, database_url },
  });
  await expect(startServers(options)).rejects.toThrow(/Install Go.*put `nats-server` on PATH.*set NATS_URL/);
});

test('a pid that belongs to another process by now is not signalled', async () => {
  const other = spawn('sleep', ['600']);
  await once(other, 'spawn');
  onTestFinished(() => void other.kill());
  const pid = other.pid ?? 0;
  await endProcess({ pid, identity: 'an earlier process' }, [{ signal: 'SIGKILL', waitMs: 1000 }]);
  expect(isGone(pid)).toBe(false);
});

describe.runIf(IS_ROOT)('as root', () => {
  const postgresOnly = { temporal_address, nats_url };

  test('PostgreSQL keeps its data below a folder that is closed to its user, past a stale lock file', async () => {
    const closed = temporaryFolder(0o700);
    const options = serverOptions(join(closed, 'state'), { use: postgresOnly });
    const first = await startServers(options);
    await query(first.database_url, 'CREATE TABLE kept AS SELECT 1 AS value');
    await first.close();

    const standIn = readFileSync(join(closed, 'state', 'postgres.folder'), 'utf8').trim();
    onTestFinished(() => rmSync(standIn, { recursive: true, force: true }));
    const user = await unprivilegedUser(0, join(standIn, 'data'));
    const namesake = spawn('sleep', ['600'], { ...user, cwd: '/' });
    onTestFinished(() => void namesake.kill());
    writeFileSync(join(standIn, 'data', 'postmaster.pid'), `${namesake.pid}\n`);
    const second = await startServers(options);
    expect(await query(second.database_url, 'SELECT value FROM kept')).toEqual([[1]]);
    await second.close();

    if (user) chownSync(standIn, user.uid, user.gid);
    await expect(startServers(options)).rejects.toThrow('belongs to somebody else');
  });

  test('an ephemeral start leaves nothing outside its folder', async () => {
    const closed = temporaryFolder(0o700);
    const servers = await startServers(
      serverOptions(join(closed, 'state'), { use: postgresOnly, ephemeral: true }),
    );
    const standIn = readFileSync(join(closed, 'state', 'postgres.folder'), 'utf8').trim();
    expect(existsSync(standIn)).toBe(true);
    await servers.close();
    expect([existsSync(standIn), existsSync(join(closed, 'state'))]).toEqual([false, false]);
  });

  test('an ordinary user starts PostgreSQL as itself', async ({ skip }) => {
    const user = await unprivilegedUser(0, '/nowhere');
    const needed = [dirname(process.execPath), import.meta.dirname];
    const reachable = await Promise.all(needed.map((folder) => user !== null && canEnter(folder, user)));
    if (!user || reachable.includes(false)) return skip('the checkout is closed to other users');
    const home = temporaryFolder();
    chownSync(home, user.uid, user.gid);
    const cacheDir = join(home, 'cache');
    const owner = await startOwner(serverOptions(join(home, 'state'), { cacheDir, use: postgresOnly }), user);
    expect(await query(owner.addresses.database_url, 'SELECT 1')).toEqual([[1]]);
    owner.process.kill('SIGKILL');
    await allGone(owner.processes).toBe(true);
  });
});
