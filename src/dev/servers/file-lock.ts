/** A lock between processes that ends with its holder, also with one that is killed. */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 50;
const SQLITE_BUSY = 5;

export interface FileLock {
  release(): void;
}

export interface LockOptions {
  signal: AbortSignal;
  /** Called at each try that finds the lock held; what it throws ends the wait. */
  whileHeld: () => void;
}

/** Node has no file locks of its own; those under an exclusive SQLite transaction are the system's. */
export async function lockFile(file: string, options: LockOptions): Promise<FileLock> {
  for (;;) {
    options.signal.throwIfAborted();
    const lock = tryLock(file);
    if (lock) return lock;
    options.whileHeld();
    await delay(POLL_MS, undefined, { signal: options.signal });
  }
}

function tryLock(file: string): FileLock | null {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
    return { release: () => database.close() };
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return null;
    throw error;
  }
}
