/** Resident memory of another process, from /proc. */
import { existsSync, readFileSync } from 'node:fs';

export const NOT_LINUX = 'not measured: there is no /proc here';

const INTERVAL_MS = 100;

/** Megabytes: by now, and at most since the process started. Null where there is no /proc. */
export function readMemory(pid: number): { now: number; most: number } | null {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return null;
  const text = readFileSync(file, 'utf8');
  const megabytes = (name: string) =>
    (Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1_024) / 1e6;
  return { now: megabytes('VmRSS'), most: megabytes('VmHWM') };
}

/** `stop` gives the most that was seen, looking ten times a second. */
export function watchMemory(pid: number): { stop(): number | null } {
  let most = readMemory(pid)?.now ?? null;
  const look = () => {
    const now = readMemory(pid)?.now;
    if (now !== undefined && most !== null) most = Math.max(most, now);
  };
  const timer = setInterval(look, INTERVAL_MS);
  return {
    stop() {
      clearInterval(timer);
      look();
      return most;
    },
  };
}
