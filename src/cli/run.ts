/** Arguments → exit code. Nothing here ends the process. */
import { type Config, readApiAddress, readConfig } from '../config.ts';
import type { Cli, ExitCode } from './cli.ts';
import { DEFAULT_STATE_DIR, readDevFile } from './dev-file.ts';
import { tellFailure } from './failure.ts';
import { readInput } from './input.ts';
import { createProgram } from './program.ts';
import { createTerminal, type Terminal } from './terminal.ts';

/** What a run may be given instead of this process's own. */
export interface Surroundings {
  terminal: Terminal;
  stdin: NodeJS.ReadableStream;
  readConfig(): Config;
  apiAddress: string | undefined;
  /** Where `dev.json` is looked for. */
  stateDir: string;
  now(): Date;
}

/** `argv`: without the program's own name. */
export async function runCli(argv: readonly string[], given: Partial<Surroundings> = {}): Promise<ExitCode> {
  const { stateDir, stdin, ...surroundings } = { ...ownSurroundings(), ...given };
  let exitCode: ExitCode = 0;
  const cli: Cli = {
    ...surroundings,
    readDevFile: () => readDevFile(stateDir),
    readInput: (file) => readInput(file, stdin),
    end(code) {
      exitCode = code;
    },
  };
  try {
    await createProgram(cli).parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return tellFailure(error, cli.terminal);
  }
}

function ownSurroundings(): Surroundings {
  return {
    terminal: createTerminal(process.stdout, process.stderr),
    stdin: process.stdin,
    readConfig,
    apiAddress: readApiAddress(),
    stateDir: DEFAULT_STATE_DIR,
    now: () => new Date(),
  };
}
