import { type DefinitionError, formatError } from './errors.ts';

/** Nothing was applied. `errors` name file, line, column, what was found and what was expected. */
export class InvalidDefinitionsError extends Error {
  readonly code = 'invalid_definitions';
  readonly errors: DefinitionError[];

  constructor(errors: DefinitionError[]) {
    super(
      `the definitions are invalid, nothing was applied:\n${errors.map((error) => `  ${formatError(error)}`).join('\n')}`,
    );
    this.errors = errors;
  }
}
