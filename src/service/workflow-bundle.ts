/** The workflows' code as Temporal's sandbox runs it. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { WorkflowBundle } from '@temporalio/worker';

const PROGRAM = fileURLToPath(new URL('./bundle-workflows.ts', import.meta.url));
const MAX_BYTES = 32 * 1024 * 1024;

/**
 * Gives the bundle, made once; where that failed it is tried again at the next call. A process of its own makes it, which
 * takes 270 MB for 1.5 s: a service that did it itself would keep half of that for good.
 */
export function createWorkflowBundle(signal: AbortSignal): () => Promise<WorkflowBundle> {
  let made: Promise<WorkflowBundle> | null = null;
  return () => {
    made ??= bundle(signal).catch((error: unknown) => {
      made = null;
      throw error;
    });
    return made;
  };
}

/** @throws Error with what the bundler says, and where the signal aborts */
async function bundle(signal: AbortSignal): Promise<WorkflowBundle> {
  const options = { env: {}, maxBuffer: MAX_BYTES, signal };
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM], options);
  return { code: stdout };
}
