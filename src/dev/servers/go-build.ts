/** Builds a program of a pinned Go module, telling how long it takes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rename } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Log } from './protocol.ts';

export interface GoBuild {
  /** The `go` command. */
  go: string;
  /** The folder with `go.mod`. */
  folder: string;
  goPackage: string;
  /** Appears when it is whole. */
  target: string;
  log: Log;
  signal: AbortSignal;
}

const PROGRESS_EVERY_MS = 15_000;
const ERROR_LINES = 10;

export async function goBuild({ go, folder, goPackage, target, log, signal }: GoBuild): Promise<void> {
  signal.throwIfAborted();
  const program = basename(target);
  const partial = `${target}.partial`;
  log('building a program; once for each version, the first build of all takes about five minutes', {
    program,
  });
  const startedAt = Date.now();
  const args = ['CGO_ENABLED=0', go, 'build', '-o', partial, goPackage];
  const child = spawn('env', args, { cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const elapsed = () => `${Math.round((Date.now() - startedAt) / 1000)} s`;
  const progress = setInterval(
    () => log('still building', { program, elapsed: elapsed() }),
    PROGRESS_EVERY_MS,
  );
  // The whole group: `go` runs compilers of its own.
  const abort = () => child.pid !== undefined && process.kill(-child.pid, 'SIGTERM');
  signal.addEventListener('abort', abort);
  try {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const [code] = await once(child, 'close');
    signal.throwIfAborted();
    if (code !== 0) throw new Error(output.trimEnd().split('\n').slice(-ERROR_LINES).join('\n'));
  } finally {
    clearInterval(progress);
    signal.removeEventListener('abort', abort);
  }
  await rename(partial, target);
  log('built', { program, elapsed: elapsed() });
}
