/** A throw-away instance: `dev --ephemeral` as a user starts it, in a process and a folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readEnvironmentWithoutSettings } from '../../config.ts';
import { type DevFile, readDevFile } from '../dev-file.ts';
import { EVERY_TWO_SECONDS } from './every-two-seconds.ts';

export interface Instance extends AsyncDisposable {
  api_url: string;
  nats_url: string;
  /** Of its stand-in. */
  issue_core_url: string;
  /** The definitions that it applies, a copy: scenes may change them. */
  definitionsDir: string;
  /** The sample that `dev` made. */
  engagement: { reposRoot: string; roster: string };
  /** The last lines that it wrote. */
  lastLines(): string[];
}

export interface InstanceOptions {
  /** Gets each line of progress until it is ready. */
  onProgress(line: string): void;
  signal: AbortSignal;
}

/** The instance did not come up; `lines`: the last that it wrote. */
export class InstanceError extends Error {
  readonly lines: readonly string[];

  constructor(message: string, lines: readonly string[]) {
    super(message);
    this.lines = lines;
  }
}

const CHECKOUT = fileURLToPath(new URL('../../..', import.meta.url));
/** The very first start builds servers. */
const START_BOUND_MS = 20 * 60_000;
const STOP_BOUND_MS = 60_000;
const PAUSE_MS = 200;
const KEPT_LINES = 40;

export async function startInstance({ onProgress, signal }: InstanceOptions): Promise<Instance> {
  const stateDir = await mkdtemp(join(tmpdir(), 'activity-core-demo-'));
  const definitionsDir = await demoDefinitions();
  const child = spawn(process.execPath, ['src/main.ts', 'dev', '--ephemeral', '--state-dir', stateDir], {
    cwd: CHECKOUT,
    env: {
      ...readEnvironmentWithoutSettings(),
      DEFINITIONS_DIR: definitionsDir,
      ISSUE_SINK_TYPE: 'issue-core',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C would reach it as well, and a second signal ends `dev` before it has stopped its servers.
    detached: true,
  });
  const ended = once(child, 'close').then(() => undefined);
  const lines = keepLines(child);
  const stop = () => stopInstance(child, ended, [stateDir, definitionsDir]);
  try {
    const ready = await waitUntilReady(child, stateDir, signal, onProgress, lines);
    const { api_url, nats_url, issue_core_url, kaizen_repos_root, kaizen_engagement_roster } = ready;
    if (!kaizen_repos_root || !kaizen_engagement_roster) {
      throw new InstanceError('the instance has no sample engagement', lines.last());
    }
    if (!issue_core_url) throw new InstanceError('the instance has no stand-in for issue-core', lines.last());
    const engagement = { reposRoot: kaizen_repos_root, roster: kaizen_engagement_roster };
    return {
      api_url,
      nats_url,
      issue_core_url,
      definitionsDir,
      engagement,
      lastLines: lines.last,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What ships, and one definition more; a folder of its own, since the checkout is not to be written to. */
async function demoDefinitions(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'activity-core-demo-definitions-'));
  await cp(join(CHECKOUT, 'definitions'), folder, { recursive: true });
  await writeFile(join(folder, `${EVERY_TWO_SECONDS.id}.yaml`), EVERY_TWO_SECONDS.text);
  return folder;
}

interface Lines {
  last(): string[];
  onLine: ((line: string) => void) | null;
}

/** Standard error holds the log: kept for a failure, not shown. */
function keepLines(child: ChildProcess): Lines {
  const kept: string[] = [];
  const lines: Lines = { last: () => [...kept], onLine: null };
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue;
    createInterface({ input: stream }).on('line', (line) => {
      kept.push(line);
      if (kept.length > KEPT_LINES) kept.shift();
      if (stream === child.stdout) lines.onLine?.(line);
    });
  }
  return lines;
}

async function waitUntilReady(
  child: ChildProcess,
  stateDir: string,
  signal: AbortSignal,
  onProgress: (line: string) => void,
  lines: Lines,
): Promise<DevFile> {
  let failed: Error | null = null;
  child.once('error', (error) => {
    failed = error;
  });
  lines.onLine = (line) => {
    // From here on it explains itself to somebody who started it by hand.
    if (line.includes('is ready')) lines.onLine = null;
    else if (line.trim()) onProgress(line);
  };
  for (const giveUpAt = Date.now() + START_BOUND_MS; Date.now() < giveUpAt; ) {
    if (failed) throw failed;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new InstanceError(`the instance ended with ${child.signalCode ?? child.exitCode}`, lines.last());
    }
    const dev = await readDevFile(stateDir);
    if (dev && (await isReady(dev.api_url))) {
      lines.onLine = null;
      return dev;
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
  throw new InstanceError(
    `the instance was not ready after ${START_BOUND_MS / 60_000} minutes`,
    lines.last(),
  );
}

/** It may not listen yet: that it never does is what the caller's bound is for. */
async function isReady(apiUrl: string): Promise<boolean> {
  const answer = fetch(`${apiUrl}/readyz`, { signal: AbortSignal.timeout(5_000) });
  return answer.then(
    ({ ok }) => ok,
    () => false,
  );
}

/** It stops its servers itself; killed, its supervisor does. The folders go last. */
async function stopInstance(child: ChildProcess, ended: Promise<void>, folders: string[]): Promise<void> {
  const bound = new AbortController();
  const late = sleep(STOP_BOUND_MS, 'late' as const, { signal: bound.signal }).catch(() => undefined);
  child.kill('SIGTERM');
  if ((await Promise.race([ended, late])) === 'late') {
    child.kill('SIGKILL');
    await ended;
  }
  bound.abort();
  for (const folder of folders) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}
