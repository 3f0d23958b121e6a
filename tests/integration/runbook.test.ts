/** Promotion and rollback as an operator does them: the blocks of docs/runbook.md, in order, against a real service. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, inject, test } from 'vitest';
import { startIssueCoreStandIn } from '../../src/dev/stand-ins/issue-core.ts';
import { captureCli } from '../setup/captured-cli.ts';
import { createEventPath, definitionsFolder, metricsEvent } from '../setup/event-path.ts';
import { TOKEN } from '../setup/live-path.ts';
import { type ServiceProcess, spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const runbook = await readFile('docs/runbook.md', 'utf8');
const DEFINITION = 'low-success-rate-review';
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

interface Block {
  language: string;
  text: string;
}

/** The blocks of each step below a heading of the second level, by the heading of the step. */
function stepsOf(heading: string): Map<string, Block[]> {
  const [, chapter = ''] = runbook.split(`\n## ${heading}\n`);
  const [, ...steps] = chapter.split(/\n## /)[0]?.split(/\n### /) ?? [];
  return new Map(
    steps.map((step): [string, Block[]] => {
      const blocks = [...step.matchAll(/^```(\w+)\n(.*?)^```$/gms)];
      return [step.split('\n')[0] ?? '', blocks.map(([, language = '', text = '']) => ({ language, text }))];
    }),
  );
}

const words = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');

/** An operator: follows the runbook word for word, and knows nothing else. */
async function createOperator() {
  const definitions = await definitionsFolder({});
  // Schedules of all tests share a Temporal namespace; these definitions are not what this is about.
  for (const file of await readdir(definitions.path)) {
    if (file.endsWith('.yaml') && file !== `${DEFINITION}.yaml`) await rm(join(definitions.path, file));
  }
  const path = await createEventPath(inject('servers'), { definitions: definitions.path });
  const issueCore = await startIssueCoreStandIn({ token: TOKEN });
  const tokenFile = join(definitions.path, '.token');
  await writeFile(tokenFile, TOKEN);
  const steps = new Map([...stepsOf('Promote a definition from audit to live'), ...stepsOf('Roll back')]);
  const unused = new Set(steps.keys());
  const placeholders: Record<string, string> = {
    YOUR_NAME: 'ana',
    'https://issue-core.example': issueCore.url,
    '/run/secrets/issue-core-token': tokenFile,
  };
  const settings: Record<string, string> = {};
  let service: ServiceProcess | null = null;

  async function restart(): Promise<ServiceProcess> {
    await service?.stop();
    service = await spawnService({
      environment: {
        ...path.environment,
        DEFINITIONS_DIR: definitions.path,
        ISSUE_CORE_TIMEOUT_SECONDS: '60',
        ...settings,
      },
    });
    await service.ready();
    return service;
  }

  function filledIn(text: string): string {
    const names = Object.keys(placeholders).toSorted((a, b) => b.length - a.length);
    const filled = names.reduce((so, name) => so.replaceAll(name, placeholders[name] ?? ''), text);
    expect(filled).not.toMatch(/\b(?:RUN_ID|YOUR_NAME|EVENT_ID)\b/);
    return filled;
  }

  /** Every command exits with 0 but where the runbook says otherwise. What was printed. */
  async function run(text: string): Promise<string> {
    const printed: string[] = [];
    for (const line of text.trim().split('\n')) {
      const [command = '', remark = ''] = line.split('   # ');
      const [npx, program, ...argv] = words(filledIn(command));
      expect([npx, program]).toEqual(['npx', 'activity-core']);
      const apiAddress = service?.url ?? '';
      const { exitCode, out, err } = await captureCli(argv, { apiAddress });
      expect(exitCode, `${command}\n${out}\n${err}`).toBe(remark.startsWith('exits 1') ? 1 : 0);
      if (argv[0] === 'runs' && argv[1] === 'list') placeholders.RUN_ID = UUID.exec(out)?.[0] ?? '';
      printed.push(out);
    }
    return printed.join('\n');
  }

  async function edit(diff: string): Promise<void> {
    const [, from] = /^-(.*)$/m.exec(diff) ?? [];
    const [, to] = /^\+(.*)$/m.exec(diff) ?? [];
    const file = join(definitions.path, `${DEFINITION}.yaml`);
    const text = await readFile(file, 'utf8');
    expect(text).toContain(`\n${from}\n`);
    await writeFile(file, text.replace(`\n${from}\n`, `\n${to}\n`));
  }

  return {
    path,
    issueCore,
    restart,
    /** Titles of steps that were not followed. */
    left: () => [...unused],
    /** Does what stands below that heading. What its commands printed. */
    async follow(step: string): Promise<string> {
      const blocks = steps.get(step);
      if (!blocks || blocks.length === 0) throw new Error(`the runbook has no step "${step}"`);
      unused.delete(step);
      const printed: string[] = [];
      for (const { language, text } of blocks) {
        if (language === 'sh') printed.push(await run(text));
        else if (language === 'diff') await edit(text);
        else if (language === 'ini') {
          Object.assign(settings, Object.fromEntries(filledIn(text).trim().split('\n').map(nameAndValue)));
          await restart();
        } else throw new Error(`nobody can follow a block of ${language}`);
      }
      return printed.join('\n');
    },
    /** Publishes an event that asks for a review of this agent. Returns the event's id. */
    async report(agent: string) {
      const attributes = { agent, project: 'kaizen-agentic', summary: { success_rate: 0.62 } };
      const event = metricsEvent(randomUUID(), 0.62, { attributes });
      await path.publish(event);
      return event.id;
    },
    /** A pending one only when it was tried. */
    async taskOf(eventId: string, status: string) {
      return until(`the task of ${eventId} is ${status}`, async () => {
        const { rows } = await path.pool.query(
          `SELECT t.task_ref, r.sink_mode, r.sink_reason FROM task_spawn_log t JOIN activity_runs r USING (run_id)
            WHERE r.event_id = $1 AND t.status = $2 AND (t.status <> 'pending' OR t.last_error IS NOT NULL)`,
          [eventId, status],
        );
        return rows[0];
      });
    },
    async runEnds(eventId: string) {
      return until(`the run of ${eventId} ends`, async () => {
        const sql = `SELECT run_id, status, error->>'code' AS code FROM activity_runs
                      WHERE event_id = $1 AND status <> 'running'`;
        return (await path.pool.query(sql, [eventId])).rows[0];
      });
    },
    async [Symbol.asyncDispose]() {
      await service?.[Symbol.asyncDispose]();
      await path[Symbol.asyncDispose]();
      await issueCore.close();
      await definitions[Symbol.asyncDispose]();
    },
  };
}

function nameAndValue(line: string): [string, string] {
  const [name = '', ...value] = line.split('=');
  return [name, value.join('=')];
}

test('the runbook leads from audit to exactly the expected tasks, and back', async () => {
  await using operator = await createOperator();
  const { issueCore, follow, report, taskOf, runEnds } = operator;
  const stopped = { status: 'failed', code: 'sink_disabled' };
  await operator.restart();

  await taskOf(await report('coach'), 'audited');
  expect(await follow('See what it made as audit')).toContain('Review coach in kaizen-agentic');
  expect(await follow('Ask what is missing')).toContain('nobody has reviewed');
  expect(await follow('Approve the run')).toContain('What is applied now is approved');
  expect(await follow('Give the service its sink')).toContain('emit: live');
  expect(await follow('Change one line')).toContain('sink: live');
  expect(issueCore.tasks()).toEqual([]);

  const { task_ref } = await taskOf(await report('coach'), 'created');
  expect(issueCore.tasks()).toMatchObject([
    { ref: task_ref, body: { title: 'Review coach in kaizen-agentic' } },
  ]);
  expect(await taskOf(await report('coach'), 'duplicate')).toMatchObject({ task_ref, sink_mode: 'live' });
  expect(await follow('Watch its first tasks')).toMatch(
    new RegExp(`duplicate +${task_ref}[^]*created +${task_ref}`),
  );
  expect(issueCore.tasks()).toHaveLength(1);

  issueCore.setFaults({ faults: ['http_500'], rate: 1 });
  const left = await report('scribe');
  await taskOf(left, 'pending');
  expect(await follow('One definition')).toContain('emit: "live" → "audit"');
  expect(await runEnds(left)).toMatchObject(stopped);
  issueCore.setFaults({ faults: [] });
  const before = issueCore.requests().length;
  expect(await taskOf(await report('optimization'), 'audited')).toMatchObject({ sink_mode: 'audit' });
  expect(await follow('See what is pending')).toContain('Review scribe in kaizen-agentic');
  await follow('Change one line');
  expect(issueCore.requests()).toHaveLength(before);
  expect(await follow('Send it after all')).toContain('1 pending task will be sent now');
  await taskOf(left, 'created');
  expect(issueCore.tasks()).toHaveLength(2);

  issueCore.setFaults({ faults: ['http_500'], rate: 1 });
  const leftAgain = await report('archivist');
  await taskOf(leftAgain, 'pending');
  await follow('Everything');
  expect(await runEnds(leftAgain)).toMatchObject(stopped);
  issueCore.setFaults({ faults: [] });
  const then = issueCore.requests().length;
  expect(await follow('Put it aside')).toContain('1 pending task discarded');
  expect(await taskOf(await report('optimization'), 'audited')).toMatchObject({
    sink_reason: 'ISSUE_SINK_TYPE is null',
  });
  expect(issueCore.requests()).toHaveLength(then);
  expect(issueCore.tasks()).toHaveLength(2);
  expect(operator.left()).toEqual([]);
});
