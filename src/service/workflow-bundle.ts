/** The workflows' code as Temporal's sandbox runs it. */
import { type ExecFileException, execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { WorkflowBundle } from '@temporalio/worker';
import { isSealIntact } from './sealed-bundle.ts';

/** Made ahead of time where there is one, as in the image; a checkout has none. */
const PREBUILT = fileURLToPath(new URL('../../workflow-bundle.js', import.meta.url));
const PROGRAM = fileURLToPath(new URL('./bundle-workflows.ts', import.meta.url));
const MAX_BYTES = 32 * 1024 * 1024;
/** Whatever ended it, a lack of memory for one, is likely to end it again. */
const AGAIN_AFTER_MS = 10_000;

/**
 * Gives the prebuilt bundle, and where there is none one that is made, once; where that failed it is tried again after a while,
 * and the fault stands until then. A process of its own makes it, which takes 270 MB for 1.5 s: a service that did it itself
 * would keep half of that for good.
 */
export function createWorkflowBundle(
  signal: AbortSignal,
  prebuiltFile = PREBUILT,
): () => Promise<WorkflowBundle> {
  let made: Promise<WorkflowBundle> | null = null;
  let notBefore = 0;
  return () => {
    if (made && performance.now() < notBefore) return made;
    made = prebuilt(prebuiltFile).then((found) => found ?? bundle(signal));
    notBefore = Number.POSITIVE_INFINITY;
    made.catch(() => {
      notBefore = performance.now() + AGAIN_AFTER_MS;
    });
    return made;
  };
}

/** Null where there is none. @throws Error where it was made of other source than what would run beside it */
async function prebuilt(file: string): Promise<WorkflowBundle | null> {
  const code = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (code === null) return null;
  if (isSealIntact(code)) return { code };
  throw new Error(
    `${file} is damaged, or was made of other workflows than those of this version; make it anew ` +
      '(node src/service/bundle-workflows.ts > workflow-bundle.js), or remove it to have it made at each start',
  );
}

/** @throws Error with what the bundler says, and where the signal aborts */
async function bundle(signal: AbortSignal): Promise<WorkflowBundle> {
  try {
    const options = { env: {}, maxBuffer: MAX_BYTES, signal };
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM], options);
    return { code: stdout };
  } catch (error) {
    const { code, signal: endedBy, stderr = '' } = error as ExecFileException;
    const how = endedBy ? `was ended by ${endedBy}` : `ended with ${code}`;
    throw new Error(`the bundler of the workflows ${how}: ${stderr.trim() || 'it said nothing'}`, {
      cause: error,
    });
  }
}
