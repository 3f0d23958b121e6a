/** Arguments → exit code. Nothing here ends the process. */
import { type Environment, parseConfig } from '../config.ts';
import type { Cli, ExitCode } from './cli.ts';
import { DEFAULT_STATE_DIR, readDevFile } from './dev-file.ts';
import { tellFailure } from './failure.ts';
import { readInput } from './input.ts';
import { createProgram } from './program.ts';
import type { Terminal } from './terminal.ts';
