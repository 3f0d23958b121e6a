/** Where the `temporal` and `nats-server` programs, and others that are built from a pinned Go module, come from: PATH, else the cache, else built, else downloaded. */
import { access, constants, copyFile, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { lockFile } from './file-lock.ts';
import { goBuild } from './go-build.ts';
import type { Log } from './protocol.ts';

export interface BinaryDeps {
  cacheDir: string;
  path: string;
  log: Log;
  signal: AbortSignal;
}

export interface Program {
  name: string;
  /** The folder with the pinned `go.mod`. */
  folder: string;
  goPackage: string;
  /** The module in `go.mod` whose version is the program's. */
  goModule: string;
  /** What else may be done where there is no way to it. */
  instead?: string;
}

const TEMPORAL: Program = {
  name: 'temporal',
  folder: join(import.meta.dirname, 'temporal'),
  goPackage: 'github.com/temporalio/cli/cmd/temporal',
  goModule: 'github.com/temporalio/cli',
  instead: 'set TEMPORAL_ADDRESS to a server that runs already',
};

const NATS: Program = {
  name: 'nats-server',
  folder: join(import.meta.dirname, 'nats'),
  goPackage: 'github.com/nats-io/nats-server/v2',
  goModule: 'github.com/nats-io/nats-server/v2',
  instead: 'set NATS_URL to a server that runs already',
};

/** Used where ACTIVITY_CORE_CACHE is not set. */
export function defaultCacheDir(): string {
  return join(homedir(), '.cache', 'activity-core');
}

/** The path of an executable. Throws an error that says what to do where there is no way to one. */
export function temporalBinary(deps: BinaryDeps): Promise<string> {
  return locate(TEMPORAL, deps, downloadTemporal);
}

export function natsBinary(deps: BinaryDeps): Promise<string> {
  return locate(NATS, deps);
}

type Download = (target: string, deps: BinaryDeps) => Promise<void>;

/** The path of an executable, as of the servers. */
export async function locate(program: Program, deps: BinaryDeps, download?: Download): Promise<string> {
  const onPath = await findOnPath(program.name, deps.path);
  if (onPath) return onPath;
  const target = join(deps.cacheDir, await cachedName(program));
  if (await isExecutable(target)) return target;
  await mkdir(deps.cacheDir, { recursive: true });
  let waiting = false;
  const whileHeld = () => {
    if (!waiting) deps.log('another start builds this program, waiting for it', { program: program.name });
    waiting = true;
  };
  const lock = await lockFile(`${target}.lock`, { signal: deps.signal, whileHeld });
  try {
    if (!(await isExecutable(target))) await obtain(program, target, deps, download);
    return target;
  } finally {
    lock.release();
  }
}

async function obtain(
  program: Program,
  target: string,
  deps: BinaryDeps,
  download?: Download,
): Promise<void> {
  const failures: string[] = [];
  const go = await findOnPath('go', deps.path);
  if (go) {
    try {
      return await goBuild({ go, folder: program.folder, goPackage: program.goPackage, target, ...deps });
    } catch (error) {
      deps.signal.throwIfAborted();
      failures.push(`building it failed: ${messageOf(error)}`);
    }
  } else {
    failures.push('there is no `go` on PATH to build it');
  }
  if (download) {
    try {
      return await download(target, deps);
    } catch (error) {
      deps.signal.throwIfAborted();
      failures.push(`downloading it failed: ${messageOf(error)}`);
    }
  }
  throw new Error(
    `there is no \`${program.name}\` on PATH or in ${deps.cacheDir}; ${failures.join('; ')}. Install Go 1.26, ` +
      `or put \`${program.name}\` on PATH${program.instead ? `, or ${program.instead}` : ''}.`,
  );
}

/** The SDK's test environment downloads the program that it starts; the program is what we want of it. */
async function downloadTemporal(target: string, { cacheDir, log }: BinaryDeps): Promise<void> {
  const testing = await import('@temporalio/testing').catch((cause: unknown) => {
    throw new Error('@temporalio/testing, a development dependency, is not installed', { cause });
  });
  log('downloading temporal');
  const downloadDir = join(cacheDir, 'temporal-download');
  await rm(downloadDir, { recursive: true, force: true });
  await mkdir(downloadDir, { recursive: true });
  const executable = { type: 'cached-download', downloadDir } as const;
  const environment = await testing.TestWorkflowEnvironment.createLocal({ server: { executable } });
  await environment.teardown();
  const downloaded = (await readdir(downloadDir)).find((name) => !name.endsWith('.downloading'));
  if (downloaded === undefined) throw new Error(`the download left nothing in ${downloadDir}`);
  await copyFile(join(downloadDir, downloaded), `${target}.partial`);
  await rename(`${target}.partial`, target);
}

async function cachedName({ name, folder, goModule }: Program): Promise<string> {
  const goMod = await readFile(join(folder, 'go.mod'), 'utf8');
  const version = goMod
    .split(/\s+/)
    .find((_, index, words) => isVersionOf(goModule, words[index - 1], words[index]));
  if (version === undefined) throw new Error(`${folder}/go.mod does not require ${goModule}`);
  return `${name}-${version}-${process.platform}-${process.arch}`;
}

function isVersionOf(goModule: string, word: string | undefined, next: string | undefined): boolean {
  return word === goModule && next !== undefined && /^v\d/.test(next);
}

async function findOnPath(name: string, path: string): Promise<string | null> {
  for (const folder of path.split(delimiter)) {
    if (folder !== '' && (await isExecutable(join(folder, name)))) return join(folder, name);
  }
  return null;
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return false;
    throw error;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
