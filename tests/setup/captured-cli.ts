/** Runs a command in this process and keeps what it prints. */
import { Readable } from 'node:stream';
import { runCli } from '../../src/cli/run.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { type Environment, parseConfig } from '../../src/config.ts';

export interface CapturedCli {
  exitCode: number;
  out: string;
  err: string;
}

export interface CapturedSurroundings {
  environment?: Environment;
  stdin?: string | Uint8Array;
  apiAddress?: string;
  /** Null: as a file or a pipe. */
  columns?: number | null;
  now?: Date;
  /** Where `dev.json` is looked for. */
  stateDir?: string;
}

export async function captureCli(
  argv: readonly string[],
  surroundings: CapturedSurroundings = {},
): Promise<CapturedCli> {
  const { environment = {}, stdin = '', apiAddress, columns = null, now = new Date() } = surroundings;
  const { stateDir = 'there-is-no-such-folder' } = surroundings;
  const { terminal, out, err } = capturedTerminal(columns);
  const exitCode = await runCli(argv, {
    terminal,
    stdin: Readable.from([stdin]),
    readConfig: () => parseConfig(environment),
    apiAddress,
    stateDir,
    now: () => now,
  });
  return { exitCode, out: out.join('\n'), err: err.join('\n') };
}

export function capturedTerminal(columns: number | null = null) {
  const out: string[] = [];
  const err: string[] = [];
  const terminal: Terminal = {
    print: (text) => void out.push(text),
    warn: (text) => void err.push(text),
    columns,
    style: (_style, text) => text,
  };
  return { terminal, out, err };
}
