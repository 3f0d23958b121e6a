/** Anything that a command throws → what a person reads, and the exit code. */
import { CommanderError } from 'commander';
import {
  ApiProblemError,
  ApiUnreachableError,
  UnexpectedAnswerError,
} from '../clients/activity-core-api-errors.ts';
import { ConfigurationError } from '../config.ts';
import { formatError } from '../definitions/errors.ts';
import { InvalidDefinitionsError } from '../definitions/invalid-definitions.ts';
import { ScheduleRefusedError, TemporalUnavailableError } from '../schedules/schedule-errors.ts';
import { isTransient } from '../store/failure.ts';
import { MigrationError } from '../store/migrate.ts';
import { ServiceRoleError } from '../store/service-role.ts';
import type { ExitCode } from './cli.ts';
import { printable, printableLines } from './printable.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Codes of refused requests that say how the command was used or configured, not what the answer is. */
const BAD_USE = new Set(['invalid_request', 'event_required', 'unauthorized']);

export function tellFailure(error: unknown, terminal: Terminal): ExitCode {
  // Commander has printed its message, or the help that was asked for.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof ApiProblemError) return tellProblem(error, terminal);
  if (error instanceof ApiUnreachableError) {
    const next =
      'start it with `npm run dev`, or name another with --api or ACTIVITY_CORE_API ' +
      '(that of --ephemeral or --state-dir prints its address when it is ready)';
    return tell(terminal, `${error.message}; ${next}`);
  }
  if (error instanceof UnexpectedAnswerError) {
    return tell(terminal, `${error.message}; name another address with --api or ACTIVITY_CORE_API`);
  }
  if (error instanceof UsageError || error instanceof ConfigurationError || error instanceof ServiceRoleError)
    return tell(terminal, error.message);
  if (error instanceof InvalidDefinitionsError || error instanceof MigrationError) {
    tell(terminal, error.message);
    return 1;
  }
  if (error instanceof TemporalUnavailableError)
    return tell(terminal, `${error.message}; check TEMPORAL_ADDRESS and its credentials`);
  if (error instanceof ScheduleRefusedError) {
    tell(terminal, error.message);
    return 1;
  }
  // Node gives the program's own a code too, as where it cannot strip the types of a file.
  if (!(error instanceof SyntaxError) && isTransient(error)) {
    return tell(
      terminal,
      `a server does not answer as expected: ${(error as Error).message}; check its address and credentials`,
    );
  }
  terminal.warn(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return 1;
}

function tell(terminal: Terminal, message: string): ExitCode {
  terminal.warn(`error: ${printableLines(message).join('\n')}`);
  return 2;
}

function tellProblem(error: ApiProblemError, terminal: Terminal): ExitCode {
  tell(terminal, `${error.code}: ${error.message}`);
  for (const { pointer, message } of error.violations) {
    terminal.warn(`  ${printable(pointer) || '(whole)'}: ${printable(message)}`);
  }
  for (const fault of error.definitionErrors) terminal.warn(`  ${printable(formatError(fault))}`);
  for (const uid of error.eventUids) terminal.warn(`  ${printable(uid)}`);
  if (error.code === 'unauthorized')
    terminal.warn('  set ADMIN_TOKEN, or ADMIN_TOKEN_FILE, to the token of that API');
  return error.status >= 500 || BAD_USE.has(error.code) ? 2 : 1;
}
