/** docs/tutorial.md, followed word for word against a real service. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { createEventPath } from '../setup/event-path.ts';
import { spawnService } from '../setup/service-process.ts';
import { blocksBelow, createReader } from '../setup/shell-steps.ts';
import { until } from '../setup/until.ts';

const tutorial = await readFile('docs/tutorial.md', 'utf8');

test('the tutorial leads from an empty folder to a task on record, and back', async () => {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'activity-core-tutorial-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const definitions = join(folder, 'definitions');
  await mkdir(join(definitions, 'event-types'), { recursive: true });
  const path = opened.use(await createEventPath(inject('servers'), { definitions }));
  const environment = { ...path.environment, DEFINITIONS_DIR: definitions };
  const service = opened.use(await spawnService({ environment }));
  await service.ready();
  const reader = await createReader(folder, service.url, { NATS_URL: path.environment.NATS_URL ?? '' });

  async function follow(heading: string): Promise<string> {
    const printed: string[] = [];
    for (const { language, text } of blocksBelow(tutorial, heading)) {
      if (language === 'sh') printed.push(await reader.run(text));
      if (language !== 'yaml') continue;
      const [, file = ''] = /^# (definitions\/\S+)$/m.exec(text) ?? [];
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), text);
    }
    return printed.join('\n');
  }

  await follow('Say what an event looks like');
  await follow('Say what is to be done');
  await follow('Check it');
  expect(await follow('Apply it')).toContain('failed-build');
  expect(await follow('See what it would do')).toContain('Look at the build of pilot-a');
  expect(await path.count('activity_runs')).toBe(0);

  const [publish, look] = blocksBelow(tutorial, 'Let it run');
  await reader.run(publish?.text ?? '');
  await until(
    'the run is over',
    async () => (await path.count('activity_runs', "status = 'completed'")) === 1,
  );
  const seen = await reader.run(look?.text ?? '');
  expect(seen).toContain('Look at the build of pilot-a');
  expect(seen).toContain('audited');

  const clock = await follow('Let a clock start it');
  expect(clock).toMatch(/^ {2}next \d{4}-\d\d-\d\d 09:00:00\+0[12]:00 Europe\/Berlin$/m);
  expect(clock).toMatch(/next run +\d{4}-\d\d-\d\d 0[78]:00:00Z \(.*Europe\/Berlin\)/);
  await until(
    'the run by hand is over',
    async () => (await path.count('activity_runs', "trigger_kind = 'manual' AND status = 'completed'")) === 1,
  );

  await follow('And then');
  expect(await path.count('activity_definitions', 'is_current')).toBe(0);
});

test('the fault that the tutorial shows is the one that the slip gives', async () => {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'activity-core-tutorial-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  await mkdir(join(folder, 'definitions', 'event-types'), { recursive: true });
  for (const heading of ['Say what an event looks like', 'Say what is to be done']) {
    const [{ text } = { text: '' }] = blocksBelow(tutorial, heading);
    const [, file = ''] = /^# (definitions\/\S+)$/m.exec(text) ?? [];
    await writeFile(join(folder, file), text.replace('"!context.build.passed"', '"!context.build.pased"'));
  }
  const [, shown] = blocksBelow(tutorial, 'Check it');
  const reader = await createReader(folder, 'http://127.0.0.1:1', {});
  await expect(reader.run('npx activity-core definitions validate\n')).rejects.toThrow(shown?.text.trim());
});
