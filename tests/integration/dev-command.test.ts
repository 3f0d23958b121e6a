/** `npm run dev` and `npm run demo` as a user runs them: the whole thing in processes of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { metricsEvent, NATS_ANSWER_MS, SUBJECT } from '../setup/event-path.ts';
import { START_BOUND_MS } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

interface DevFile {
  temporal_address: string;
  temporal_ui_url: string;
  nats_url: string;
  database_url: string;
  api_url: string;
  issue_core_url: string;
  llm_connect_url: string;
  working_memory_dir: string;
  state_hub_url: string;
  kaizen_repos_root: string;
  kaizen_engagement_roster: string;
  pid: number;
}

let stateDir: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'activity-core-dev-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await rm(stateDir, { recursive: true, force: true });
});

function run(...args: string[]): { child: ChildProcess; output: () => string; ended: Promise<unknown[]> } {
  const { PATH, HOME, ACTIVITY_CORE_CACHE } = process.env;
  const env = { PATH, HOME, ...(ACTIVITY_CORE_CACHE && { ACTIVITY_CORE_CACHE }) };
  const child = spawn(process.execPath, ['src/main.ts', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let text = '';
  const keep = (chunk: Buffer) => {
    text += chunk;
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return { child, output: () => text, ended: once(child, 'exit') };
}

/** Commands of a document, with `npx` as in the checkout. */
function shell(
  commands: string,
  environment: Record<string, string>,
): Promise<{ exitCode: number; output: string }> {
  const { PATH, HOME } = process.env;
  const script = `set -e\nnpx() { shift; "${process.execPath}" src/main.ts "$@"; }\n${commands}`;
  return new Promise((resolve) => {
    execFile('bash', ['-c', script], { env: { PATH, HOME, ...environment } }, (error, out, err) =>
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : error ? -1 : 0, output: out + err }),
    );
  });
}

async function startDev(): Promise<{ dev: ReturnType<typeof run>; file: DevFile }> {
  const dev = run('dev', '--state-dir', stateDir);
  const file = await until(
    'dev.json is there',
    async () => {
      if (dev.child.exitCode !== null) throw new Error(dev.output());
      return readFile(join(stateDir, 'dev.json'), 'utf8').then(
        (text): DevFile => JSON.parse(text),
        () => null,
      );
    },
    { boundMs: START_BOUND_MS, context: dev.output },
  );
  return { dev, file };
}

async function publishLow(file: DevFile, id: string): Promise<void> {
  const nats = await connect({ servers: file.nats_url });
  await jetstream(nats, { timeout: NATS_ANSWER_MS }).publish(SUBJECT, JSON.stringify(metricsEvent(id)));
  await nats.close();
}

async function event(
  file: DevFile,
  id: string,
): Promise<{ duplicates: number; decisions: { run_id: string }[] } | null> {
  const response = await fetch(`${file.api_url}/api/v1/events/${id}`);
  return response.ok
    ? ((await response.json()) as { duplicates: number; decisions: { run_id: string }[] })
    : null;
}

async function hasCompleted(file: DevFile, id: string): Promise<boolean> {
  const response = await fetch(`${file.api_url}/api/v1/runs?event_id=${id}&status=completed`);
  return ((await response.json()) as { items: unknown[] }).items.length === 1;
}

/** The process and all that it started, also by way of others. */
function familyOf(pid: number): number[] {
  const parents = globSync('/proc/[0-9]*/stat').flatMap((file) => {
    try {
      const [own = '', rest = ''] = readFileSync(file, 'utf8').split(/ \(.*\) . /s);
      return [{ pid: Number(own), parent: Number(rest.split(' ')[0]) }];
    } catch {
      return []; // It ended between the listing and the reading.
    }
  });
  const family = [pid];
  for (const member of family)
    family.push(...parents.filter(({ parent }) => parent === member).map((child) => child.pid));
  return family;
}

/** The token is in a file of its own that others cannot read, and nowhere else. */
async function standInLetsInItsOwnToken(file: DevFile, output: string): Promise<void> {
  const tokenFile = join(stateDir, 'issue-core-stand-in.token');
  const token = readFileSync(tokenFile, 'utf8').trim();
  expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
  expect(`${output}${JSON.stringify(file)}`).not.toContain(token);
  const statusWith = async (authorization: string) =>
    (await fetch(`${file.issue_core_url}/api/v1/tasks`, { headers: { authorization } })).status;
  expect(await statusWith(`Bearer ${token}`)).toBe(200);
  expect(await statusWith('Bearer another')).toBe(401);
}

test('dev says when it is ready, where everything is, and removes dev.json on a clean stop', async () => {
  const { dev, file } = await startDev();
  expect(Object.keys(file).sort()).toEqual([
    'api_url',
    'database_url',
    'issue_core_url',
    'kaizen_engagement_roster',
    'kaizen_repos_root',
    'llm_connect_url',
    'nats_url',
    'pid',
    'state_hub_url',
    'temporal_address',
    'temporal_ui_url',
    'working_memory_dir',
  ]);
  expect(file.pid).toBe(dev.child.pid);
  expect((await fetch(`${file.api_url}/readyz`)).status).toBe(200);
  expect((await fetch(file.temporal_ui_url)).status).toBe(200);
  const page = await fetch(`${file.api_url}/`);
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  const overview = await fetch(`${file.api_url}/api/v1/overview`);
  expect(await overview.json()).toMatchObject({
    temporal_ui: { url: file.temporal_ui_url, namespace: 'default' },
    lag: { messages: 0, message: 'ok' },
  });
  expect(dev.output()).toContain(`activity-core is ready, as process ${file.pid}.`);
  expect(dev.output()).toContain(
    `export ACTIVITY_CORE_API=${file.api_url}\n  export NATS_URL=${file.nats_url}\n`,
  );
  expect(dev.output()).toContain(`${file.kaizen_repos_root}   (a sample;`);
  expect(dev.output()).toContain(`${file.state_hub_url}   (a stand-in;`);
  expect((await fetch(`${file.state_hub_url}/engagements/coulomb-loop`)).status).toBe(200);
  expect(dev.output()).toContain(`${file.issue_core_url}   (a stand-in;`);
  expect(dev.output()).toContain(`${file.llm_connect_url}   (a stand-in`);
  expect((await fetch(`${file.llm_connect_url}/v1/models`)).status).toBe(200);
  expect(dev.output()).toContain('issue sink   null (audit only); ISSUE_SINK_TYPE=issue-core makes');
  expect(dev.output()).toContain('log          standard error, as JSON lines');
  const made = await fetch(`${file.issue_core_url}/stand-in/tasks`);
  expect(await made.json()).toEqual({ items: [] });
  await standInLetsInItsOwnToken(file, dev.output());
  expect(dev.output()).not.toContain(new URL(file.database_url).password);
  dev.child.kill('SIGINT');
  expect(await dev.ended).toEqual([0, null]);
  expect(existsSync(join(stateDir, 'dev.json'))).toBe(false);
});

test('a second start on a folder in use is refused, and leaves the living instance its dev.json', async () => {
  const { file } = await startDev();
  const second = run('dev', '--state-dir', stateDir);
  expect(await second.ended, second.output()).toEqual([2, null]);
  expect(second.output()).toContain(`is in use by process ${file.pid}`);
  expect(JSON.parse(readFileSync(join(stateDir, 'dev.json'), 'utf8'))).toEqual(file);
  expect((await fetch(`${file.api_url}/readyz`)).status).toBe(200);
});

test('kill -9 of everything at once loses nothing, and the next start has it all', async () => {
  const first = await startDev();
  await publishLow(first.file, 'kept');
  await until('the run is there', () => hasCompleted(first.file, 'kept'));
  for (const pid of familyOf(first.file.pid)) process.kill(pid, 'SIGKILL');
  await first.dev.ended;
  await rm(join(stateDir, 'dev.json'));
  const second = await startDev();
  expect(await hasCompleted(second.file, 'kept')).toBe(true);
  await publishLow(second.file, 'kept');
  const seen = await until('the duplicate is counted', async () => {
    const found = await event(second.file, 'kept');
    return found?.duplicates === 1 ? found : null;
  });
  expect(seen.decisions).toHaveLength(1);
});

test('an embedded server that is killed is started again, and events go on', async () => {
  const { file, dev } = await startDev();
  const servers = familyOf(file.pid).filter((pid) => {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return command.includes('nats-server');
  });
  expect(servers).toHaveLength(1);
  process.kill(servers[0] ?? 0, 'SIGKILL');
  await until('NATS is started again', async () => dev.output().includes('is started again'));
  await until('it takes an event', () =>
    publishLow(file, 'after').then(
      () => true,
      () => false,
    ),
  );
  await until('the run is there', () => hasCompleted(file, 'after'));
});

test("the kaizen handoff's smoke sequence does what its document says", async () => {
  const { file } = await startDev();
  const document = readFileSync('docs/integrations/kaizen-engagement.md', 'utf8');
  const [, commands = ''] = /^```sh\n(.*?)^```$/ms.exec(document) ?? [];
  expect(commands.match(/^npx activity-core/gm)).toHaveLength(5);
  const smoke = await shell(commands, {
    ACTIVITY_CORE_API: file.api_url,
    NATS_URL: file.nats_url,
    KAIZEN_REPOS_ROOT: file.kaizen_repos_root,
    KAIZEN_ENGAGEMENT_ROSTER: file.kaizen_engagement_roster,
  });
  expect(smoke.exitCode, smoke.output).toBe(0);
  expect(smoke.output).toContain('6 schedules in step, nothing to mend');
  const [, context = '{}'] = /^(\{\n {2}"context".*?^\})$/ms.exec(smoke.output) ?? [];
  const { repos } = JSON.parse(context).context;
  expect({ runs: repos.runs.length, skipped: repos.skipped }).toEqual({ runs: 6, skipped: [] });
  expect(smoke.output).toContain('It would complete, with 3 tasks.');
  const tasks = await until('the review task is recorded', async () => {
    const response = await fetch(`${file.api_url}/api/v1/tasks?definition_id=low-success-rate-review`);
    const { items } = (await response.json()) as { items: { status: string; spec: { title: string } }[] };
    return items.length > 0 && items;
  });
  expect(tasks.map(({ status, spec }) => [status, spec.title])).toEqual([
    ['audited', 'Review coach in kaizen-agentic'],
  ]);
});

test('the demo tells its story and all of it holds', async () => {
  const demo = run('demo');
  expect(await demo.ended, demo.output()).toEqual([0, null]);
  expect(demo.output()).toContain('14 of 14 held');
});
