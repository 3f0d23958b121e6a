/** The blocks of docs/scaling.md are taken as they stand: each is held against what would read it. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { parseConfig } from '../../src/config.ts';
import { defaultCacheDir, natsBinary } from '../../src/dev/servers/binaries.ts';
import { buildManifests } from '../manifests/kustomize.ts';
import { createEventPath, type EventPath, NATS_ANSWER_MS } from '../setup/event-path.ts';
import { spawnService } from '../setup/service-process.ts';

const text = await readFile('docs/scaling.md', 'utf8');
let folder: string;
let path: EventPath;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'activity-core-scaling-'));
  path = await createEventPath(inject('servers'));
});
afterAll(async () => {
  await path?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** The blocks below a comment that begins so. */
function blocks(title: string): string[] {
  const found = [...text.matchAll(/^<!-- (.*?) -->\n```\w+\n(.*?)^```$/gms)];
  return found.filter(([, name]) => name?.startsWith(title)).map(([, , body]) => body ?? '');
}

const pairs = (body: string) =>
  Object.fromEntries(
    [...body.matchAll(/^([\w.]+) ?= ?(.*)$/gm)].map(([, name, value]) => [name ?? '', value ?? '']),
  );

const bytes = (content: string) => new TextEncoder().encode(content);

/** With each file that it names there, as on a machine that has them. */
async function readAsConfig(body: string) {
  const environment = pairs(body);
  for (const [name, value] of Object.entries(environment)) {
    if (!/_(FILE|PATH)$/.test(name)) continue;
    environment[name] = join(folder, name);
    const content =
      name === 'DATABASE_URL_FILE' ? 'postgres://service@db/activity_core' : `content of ${value}`;
    await writeFile(environment[name], content);
  }
  return parseConfig(environment);
}

test('each block of Temporal is understood: its address, its certificates, its key', async () => {
  const found = await Promise.all(blocks('temporal: ').map(readAsConfig));
  const certificate = {
    crt: bytes('content of /run/secrets/temporal/tls.crt'),
    key: bytes('content of /run/secrets/temporal/tls.key'),
  };
  expect(found.map(({ temporal }) => temporal)).toMatchObject([
    {
      namespace: 'activity-core',
      connectionOptions: {
        address: 'temporal-frontend.temporal.svc.cluster.local:7233',
        tls: {
          clientCertPair: certificate,
          serverNameOverride: 'temporal-frontend',
          serverRootCACertificate: bytes('content of /run/secrets/temporal/ca.crt'),
        },
      },
    },
    { namespace: 'activity-core.a1b2c', connectionOptions: { tls: { clientCertPair: certificate } } },
    {
      namespace: 'activity-core.a1b2c',
      connectionOptions: { tls: true, apiKey: 'content of /run/secrets/activity-core/temporal-api-key' },
    },
  ]);
});

test('each block of our own settings has settings that there are', async () => {
  const ours = blocks('activity-core: ');
  expect(ours).toHaveLength(2);
  const source = await readFile('src/config.ts', 'utf8');
  for (const body of ours) {
    await readAsConfig(body);
    for (const name of Object.keys(pairs(body)))
      expect(source).toContain(`  ${name.replace(/^(DATABASE_URL)_FILE$/, '$1')}:`);
  }
});

test('nats-server takes the configuration of a node, which flushes before it acknowledges', async () => {
  const [body = ''] = blocks('nats-server.conf');
  const file = join(folder, 'nats-server.conf');
  const check = async (configuration: string) => {
    await writeFile(file, configuration.replace('/data/jetstream', join(folder, 'jetstream')));
    const binary = await natsBinary({
      cacheDir: process.env.ACTIVITY_CORE_CACHE ?? defaultCacheDir(),
      path: process.env.PATH ?? '',
      log: () => undefined,
      signal: AbortSignal.timeout(280_000),
    });
    await promisify(execFile)(binary, ['-t', '-c', file]);
  };
  await check(body);
  expect(body).toMatch(/^ {2}sync_interval: always$/m);
  expect(body.match(/nats:\/\/nats-\d/g)).toHaveLength(3);
  await expect(check(body.replace('sync_interval', 'sync_intervall'))).rejects.toThrow('sync_intervall');
});

test('the stream is the one that the service would make, with three replicas', async () => {
  const documented = JSON.parse(blocks('activity.json')[0] ?? '');
  await using service = await spawnService(path);
  await service.ready();
  const manager = await jetstreamManager(path.nats, { timeout: NATS_ANSWER_MS });
  const { config } = await manager.streams.info('ACTIVITY');
  expect(config).toMatchObject({ ...documented, num_replicas: 1 });
  expect(documented.num_replicas).toBe(3);
});

test('PostgreSQL takes the settings of the primary, and a standby is waited for', async () => {
  const settings = pairs(blocks('postgresql.conf')[0] ?? '');
  for (const [name, value] of Object.entries(settings)) {
    // A setting that needs a restart, or a value that it refuses, is an error of its own.
    const quoted = value.startsWith("'") ? value : `'${value}'`;
    await path.pool.query(`ALTER SYSTEM SET ${name} = ${quoted}`);
    await path.pool.query(`ALTER SYSTEM RESET ${name}`);
  }
  expect(settings).toMatchObject({
    synchronous_commit: 'on',
    synchronous_standby_names: expect.stringContaining('ANY 1'),
  });
});

test('the pooler keeps transactions together, and serves as many clients as it is said to need', () => {
  const pooler = pairs(blocks('pgbouncer.ini')[0] ?? '');
  expect(pooler.pool_mode).toBe('transaction');
  expect(Number(pooler.max_client_conn)).toBeGreaterThan(20 * 10);
});

test('the replicas are those of Deployments that there are', async () => {
  const [, body = ''] = /^```yaml\n# k8s\/railiance\/kustomization.yaml\n(.*?)^```$/ms.exec(text) ?? [];
  const { replicas } = parse(body) as { replicas: { name: string; count: number }[] };
  const deployments = (await buildManifests('k8s/railiance')).filter(({ kind }) => kind === 'Deployment');
  expect(replicas.length).toBeGreaterThan(0);
  for (const { name } of replicas) expect(deployments.map(({ metadata }) => metadata.name)).toContain(name);
});
