import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { isSealIntact, sealBundle } from '../../src/service/sealed-bundle.ts';
import { createWorkflowBundle } from '../../src/service/workflow-bundle.ts';

const CODE = 'var workflows = 1;\n// its end';
let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'activity-core-bundle-'));
  file = join(folder, 'workflow-bundle.js');
});
afterEach(() => rm(folder, { recursive: true }));

const open = () => createWorkflowBundle(AbortSignal.timeout(60_000), file)();

test('a bundle that was made of this source ahead of time is taken as it is', async () => {
  const sealed = sealBundle(CODE);
  await writeFile(file, sealed);
  expect(await open()).toEqual({ code: sealed });
});

test.each([
  ['of other source', sealBundle(CODE).replace(/[0-9a-f]{64}/, '0'.repeat(64))],
  ['that was changed', sealBundle(CODE).replace('= 1', '= 2')],
  ['that was cut off', sealBundle(CODE).slice(0, -1)],
  ['without a seal', CODE],
  ['that is empty', ''],
])('a bundle %s is refused, with what to do', async (_, text) => {
  expect(isSealIntact(text)).toBe(false);
  await writeFile(file, text);
  await expect(open()).rejects.toThrow('made of other workflows than those of this version; make it anew');
});

test('where there is none, one is made, and it is sealed', async () => {
  const { code = '' } = (await open()) as { code?: string };
  expect(isSealIntact(code)).toBe(true);
  expect(code).toContain('ActivityRun');
});
