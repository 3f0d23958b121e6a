/** The command was not given what it needs: exit code 2. The message says what was expected. */
export class UsageError extends Error {
  readonly code = 'bad_use';
}
