/** Processes that an earlier start recorded: told apart from others that got the same pid since. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** `identity` says when (and in which boot) the process started. */
export interface RecordedProcess {
  pid: number;
  identity: string;
}

/** Signals in order of rising force, each with the time that it is given. */
export type StopStep = { signal: NodeJS.Signals; waitMs: number };

const POLL_MS = 25;

/** Null where no such process runs; a zombie does not run. */
export function identify(pid: number): string | null {
  return existsSync('/proc/self/stat') ? identifyByProc(pid) : identifyByPs(pid);
}

export function record(pid: number): RecordedProcess | null {
  const identity = identify(pid);
  return identity === null ? null : { pid, identity };
}

export function isRunning(process: RecordedProcess): boolean {
  return identify(process.pid) === process.identity;
}

/** Signals a process that is not our child until it is gone. A pid that belongs to another process by now is left alone. */
export async function endProcess(target: RecordedProcess, steps: StopStep[]): Promise<void> {
  for (const { signal, waitMs } of steps) {
    if (!isRunning(target)) return;
    send(target.pid, signal);
    const deadline = Date.now() + waitMs;
    while (isRunning(target) && Date.now() < deadline) await delay(POLL_MS);
  }
  if (isRunning(target)) throw new Error(`process ${target.pid} does not end, not even after SIGKILL`);
}

/** The command line, or null where no such process runs. */
export function commandLine(pid: number): string | null {
  if (identify(pid) === null) return null;
  if (existsSync('/proc/self/stat')) return readProc(pid, 'cmdline')?.replaceAll('\0', ' ') ?? null;
  return ps(pid, ['command=']);
}

function identifyByProc(pid: number): string | null {
  const stat = readProc(pid, 'stat');
  if (stat === null) return null;
  // The second field, the command's name, may itself hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0]!, fields[19]!];
  if (state === 'Z' || state === 'X') return null;
  return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}:${startTime}`;
}

function readProc(pid: number, file: 'stat' | 'cmdline'): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    // ESRCH: it ended between open and read.
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ESRCH')) return null;
    throw error;
  }
}

function identifyByPs(pid: number): string | null {
  const line = ps(pid, ['stat=', 'lstart=', 'command=']);
  if (line === null || line.startsWith('Z')) return null;
  return line.slice(line.indexOf(' ')).trim();
}

function ps(pid: number, columns: string[]): string | null {
  try {
    const env = { PATH: '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC' };
    const args = [...columns.flatMap((column) => ['-o', column]), '-p', String(pid)];
    return execFileSync('ps', args, { encoding: 'utf8', env }).trim() || null;
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 1) return null;
    throw error;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error;
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
