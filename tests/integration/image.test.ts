/** No container engine is needed: the steps of the Dockerfile are done in folders, and `serve` starts from what they leave. */
import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { buildInFolders, stagesOf } from '../setup/dockerfile.ts';
import { createEventPath, type EventPath, metricsEvent } from '../setup/event-path.ts';
import { spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

interface Lockfile {
  packages: Record<string, { dev?: boolean; optional?: boolean }>;
}

let root: string;
let image: string;
let path: EventPath;

beforeAll(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), 'activity-core-image-')));
  image = join(root, 'image');
  await buildInFolders(stagesOf(await readFile('Dockerfile', 'utf8')), process.cwd(), root);
  path = await createEventPath(inject('servers'));
});
afterAll(async () => {
  await path?.[Symbol.asyncDispose]();
  await rm(root, { recursive: true, force: true });
});

/** There is no /tmp and no home to write to. */
const start = () =>
  spawnService({
    environment: {
      ...path.environment,
      HOME: '/nonexistent',
      TMPDIR: '/nonexistent',
      NODE_ENV: 'production',
    },
    main: join(image, 'src/main.ts'),
  });

test('it holds neither development dependencies, nor a bundler that could work, nor the embedded servers', async () => {
  const { packages }: Lockfile = JSON.parse(await readFile('package-lock.json', 'utf8'));
  expect(existsSync(join(image, 'node_modules/@temporalio/worker'))).toBe(true);
  const unwanted = Object.keys(packages).filter(
    (folder) => packages[folder]?.dev || packages[folder]?.optional,
  );
  expect(unwanted).toContain('node_modules/vitest');
  expect(unwanted).toContain('node_modules/@swc/core-linux-x64-gnu');
  expect(unwanted.filter((folder) => existsSync(join(image, folder)))).toEqual([]);
  expect((await readdir(image)).toSorted()).toEqual(
    ['migrations', 'node_modules', 'package.json', 'src', 'workflow-bundle.js'].toSorted(),
  );
});

test('from it, an event becomes a run with the bundle that was made ahead of time, and nothing is written', async () => {
  const before = await listing();
  await using service = await start();
  await service.ready();
  await path.publish(metricsEvent('from-the-image'));
  await until(
    'it has its run',
    async () => (await path.count('activity_runs', "status = 'completed'")) === 1,
    {
      context: service.log,
    },
  );
  expect(await service.stop()).toBe(0);
  expect(await listing()).toEqual(before);
});

test('with a bundle of other source it does not become ready, and says why', async () => {
  await appendFile(join(image, 'src/workflows/contract.ts'), '\n// another version\n');
  await using service = await start();
  await until('it says so', async () => service.log().includes('was made of other workflows'));
  expect((await fetch(`${service.url}/readyz`)).status).toBe(503);
});

/** Each file and folder with the time of its last change. */
async function listing(): Promise<string[]> {
  const names = await readdir(image, { recursive: true });
  return Promise.all(
    names.toSorted().map(async (name) => `${name} ${(await stat(join(image, name))).mtimeMs}`),
  );
}
