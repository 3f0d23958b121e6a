/** The daily triage as its operator tries it: the steps of docs/daily-triage.md, in order, against a real service. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { startLlmConnectStandIn } from '../../src/dev/stand-ins/llm-connect.ts';
import { startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';
import { captureCli } from '../setup/captured-cli.ts';
import { createEventPath, definitionsFolder } from '../setup/event-path.ts';
import { spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const DEFINITION = 'daily-statehub-wsjf-triage';
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
const SHORT_INTERVAL = 'every: 4s';

const guide = await readFile('docs/daily-triage.md', 'utf8');

/** The blocks below a heading of the second or third level, up to the next heading. */
function blocksBelow(heading: string): { language: string; text: string }[] {
  const [, below = ''] = guide.split(new RegExp(`^#{2,3} ${heading}\\n`, 'm'));
  const [section = ''] = below.split(/^#{2,3} /m);
  const blocks = [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)];
  if (blocks.length === 0) throw new Error(`the guide has nothing to follow below "${heading}"`);
  return blocks.map(([, language = '', text = '']) => ({ language, text }));
}

const words = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

/** Follows the guide word for word, but for the interval: a test has less time than an operator. */
async function createOperator() {
  const opened = new AsyncDisposableStack();
  const definitions = opened.use(await definitionsFolder({}));
  // The others are not what this is about.
  for (const file of await readdir(definitions.path)) {
    if (file.endsWith('.yaml') && file !== `${DEFINITION}.yaml`) await rm(join(definitions.path, file));
  }
  const notes = await mkdtemp(join(tmpdir(), 'activity-core-notes-'));
  opened.defer(() => rm(notes, { recursive: true, force: true }));
  const stateHub = await startStateHubStandIn({ engagements: {} });
  opened.defer(stateHub.close);
  const llmConnect = await startLlmConnectStandIn();
  opened.defer(llmConnect.close);
  const path = opened.use(
    await createEventPath(inject('servers'), { definitions: definitions.path, own: ['temporal'] }),
  );
  const service = opened.use(
    await spawnService({
      environment: {
        ...path.environment,
        DEFINITIONS_DIR: definitions.path,
        STATE_HUB_URL: stateHub.url,
        LLM_CONNECT_URL: llmConnect.url,
        WORKING_MEMORY_DIR: notes,
      },
    }),
  );
  await service.ready();
  const placeholders = { RUN_ID: '' };

  /** What was printed, and how the last command ended. Where the guide names no exit code, it is 0. */
  async function run(text: string, allowed: readonly number[] = []) {
    const printed: string[] = [];
    let last = 0;
    for (const line of text.trim().split('\n')) {
      const [command = '', remark = ''] = line.split('   # ');
      const [npx, program, ...argv] = words(command.replaceAll('RUN_ID', placeholders.RUN_ID));
      expect([npx, program]).toEqual(['npx', 'activity-core']);
      const { exitCode, out, err } = await captureCli(argv, { apiAddress: service.url });
      const expected = remark.startsWith('exits 1') ? [1] : [0, ...allowed];
      expect(expected, `${command}\n${out}\n${err}\n${service.log()}`).toContain(exitCode);
      if (argv[0] === 'run' || (argv[0] === 'runs' && argv[1] === 'list')) {
        placeholders.RUN_ID = UUID.exec(out)?.[0] ?? '';
      }
      printed.push(out);
      last = exitCode;
    }
    return { out: printed.join('\n'), exitCode: last };
  }

  async function edit(diff: string): Promise<void> {
    const shortened = diff.replace(/every: \d+s/, SHORT_INTERVAL);
    const [, from = ''] = /^-(.*)$/m.exec(shortened) ?? [];
    const [, to = ''] = /^\+(.*)$/m.exec(shortened) ?? [];
    const file = join(definitions.path, `${DEFINITION}.yaml`);
    const text = await readFile(file, 'utf8');
    expect(text).toContain(`\n${from}\n`);
    await writeFile(
      file,
      text.replace(`\n${from}\n`, () => `\n${to}\n`),
    );
  }

  return {
    path,
    stateHub,
    notes,
    /** Does what stands below that heading. `allowed`: exit codes beside 0. */
    async follow(heading: string, allowed?: readonly number[]) {
      const printed: string[] = [];
      let last = 0;
      for (const { language, text } of blocksBelow(heading)) {
        if (language === 'diff') await edit(text);
        else {
          const { out, exitCode } = await run(text, allowed);
          printed.push(out);
          last = exitCode;
        }
      }
      return { out: printed.join('\n'), exitCode: last };
    },
    async runEnds(runId: string) {
      return until(`the run ${runId} ends`, async () => {
        const sql = `SELECT status, error FROM activity_runs WHERE run_id = $1 AND status <> 'running'`;
        return (await path.pool.query(sql, [runId])).rows[0];
      });
    },
    runId: () => placeholders.RUN_ID,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

test('the guide to the daily triage leads from a run by hand over three ticks to trust', async () => {
  await using operator = await createOperator();
  const { path, stateHub, notes, follow } = operator;

  await follow('The prompt');
  expect(await path.count('activity_runs')).toBe(0);
  expect(stateHub.progress()).toEqual([]);
  expect(await readdir(notes)).toEqual([]);

  expect((await follow('Run it once')).out).toContain(operator.runId());
  expect(await operator.runEnds(operator.runId())).toEqual({ status: 'completed', error: null });
  expect(stateHub.progress()).toMatchObject([
    { event_type: 'daily_triage', detail: { run_id: operator.runId(), review_required: true } },
  ]);
  expect(await readdir(notes)).toEqual([expect.stringMatching(/^daily-triage-\d{4}-\d\d-\d\d\.md$/)]);
  expect((await follow('Give feedback')).out).toContain('was noisy');
  // A run by hand is no tick, whatever was said of it.
  expect((await follow('Can it be trusted')).out).toContain('not trusted');

  expect((await follow('Let it tick')).out).toContain('every');
  const trusted = await until('three ticks in a row are clean, and one has feedback', async () => {
    if ((await path.count('tick_evidence')) < 3) return null;
    const asked = await follow('Trust it', [1]);
    return asked.exitCode === 0 ? asked.out : null;
  });
  expect(trusted).toContain(`${DEFINITION} is trusted`);
  await follow('Put it back');
});
