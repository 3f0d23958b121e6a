/** The machine's processes: `/proc` where there is one, else `ps`. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ProcessSeen {
  pid: number;
  parent: number;
  rss_mib: number;
  /** Command line and, from `/proc`, the working folder. */
  place: string;
}

const PAGE_KIB = 4;

export function listProcesses(): ProcessSeen[] {
  return existsSync('/proc/self/stat') ? listByProc() : listByPs();
}

export function childrenOf(pid: number): number[] {
  return listProcesses()
    .filter(({ parent }) => parent === pid)
    .map((child) => child.pid);
}

export function rssOf(pid: number): number {
  return listProcesses().find((seen) => seen.pid === pid)?.rss_mib ?? 0;
}

function listByProc(): ProcessSeen[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (state === 'Z') return [];
        const [, pages] = readFileSync(`/proc/${name}/statm`, 'utf8').split(' ');
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const rss_mib = (Number(pages) * PAGE_KIB) / 1_024;
        return [
          { pid: Number(name), parent: Number(parent), rss_mib, place: `${command} ${folderOf(name)}` },
        ];
      } catch (error) {
        // It ended while we read.
        if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
        throw error;
      }
    });
}

function folderOf(name: string): string {
  try {
    return readlinkSync(`/proc/${name}/cwd`);
  } catch (error) {
    // Of another user's process, we may not know.
    if (['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

function listByPs(): ProcessSeen[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,rss=,command='], { encoding: 'utf8' });
  return lines.split('\n').flatMap((line) => {
    const [, pid, parent, rss, place = ''] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return pid ? [{ pid: Number(pid), parent: Number(parent), rss_mib: Number(rss) / 1_024, place }] : [];
  });
}
