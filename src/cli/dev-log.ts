/** The log of `dev`: JSON lines on standard error. Where a person reads that, a file has them, and the person what is wrong. */
import { renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { destination, multistream } from 'pino';
import { createLogger, type Logger } from '../telemetry/logger.ts';
import { printable, printableJson } from './printable.ts';
import { cutTo } from './table.ts';

export interface DevLogDeps {
  level: string;
  /** It is there, with `logs` in it. */
  stateDir: string;
  stderr: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>;
}

export interface DevLog {
  logger: Logger;
  /** For the summary. */
  place: string;
}

export function openDevLog({ level, stateDir, stderr }: DevLogDeps): DevLog {
  if (!stderr.isTTY) return { logger: createLogger(level), place: 'standard error, as JSON lines' };
  const file = join(stateDir, 'logs', 'activity-core.log');
  putAside(file);
  const lines = destination({ dest: file, mode: 0o600, sync: true });
  // Without this, a full disk would end the process.
  lines.on('error', (error: Error) => stderr.write(`the log cannot be written: ${error.message}\n`));
  const streams = multistream([
    { level: 'trace', stream: lines },
    { level: 'warn', stream: { write: (line: string) => void stderr.write(`${readable(line)}\n`) } },
  ]);
  return {
    logger: createLogger(level, streams),
    place: `${file}   (JSON lines; warnings and errors stand here too)`,
  };
}

const MOST_BYTES = 64 * 1_048_576;

/** What is long is kept once, as `….log.1`, so that weeks of `dev` do not fill the disk. */
function putAside(file: string): void {
  const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (bytes > MOST_BYTES) renameSync(file, `${file}.1`);
}

const ERROR = 50;
const LONGEST_FACT = 200;

function readable(line: string): string {
  const { level, time, msg, err, component: _, ...facts } = JSON.parse(line);
  const told = Object.entries(facts)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => cutTo(`${name} ${textOf(value)}`, LONGEST_FACT));
  const what = [msg, err?.message ?? err].filter(Boolean).map(textOf).join(': ');
  const kind = level >= ERROR ? 'error' : 'warning';
  return `${String(time).slice(11, 19)} ${kind}: ${what}${told.length > 0 ? ` (${told.join(', ')})` : ''}`;
}

const textOf = (value: unknown): string =>
  printable(typeof value === 'string' ? value : printableJson(value, 0));
