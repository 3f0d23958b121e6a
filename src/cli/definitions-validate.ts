/** `definitions validate`: reads files, says what is wrong with them. Needs no server. */
import { type DefinitionError, formatError, formatWarning } from '../definitions/errors.ts';
import { type LoadResult, loadPaths } from '../definitions/load.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { printable } from './printable.ts';

export interface ValidateInput {
  /** Files or folders; `definitionsDir` where there are none. */
  paths: readonly string[];
  definitionsDir: string;
  json: boolean;
  resolvers: Resolvers;
  print(line: string): void;
}

/** The exit code: 1 where anything is wrong; a warning is not. */
export async function validateCommand(input: ValidateInput): Promise<0 | 1> {
  const { paths, definitionsDir, json, resolvers, print } = input;
  const result = await loadPaths(paths.length > 0 ? paths : [definitionsDir], { resolvers, definitionsDir });
  printValidation(result, { json, print });
  return result.ok ? 0 : 1;
}

export function printValidation(
  result: LoadResult,
  { json, print }: Pick<ValidateInput, 'json' | 'print'>,
): void {
  const errors = result.ok ? [] : result.errors;
  if (json) print(JSON.stringify(asJson(result, errors), null, 2));
  else printSummary(result, errors, print);
}

function asJson(result: LoadResult, errors: DefinitionError[]) {
  return {
    ok: result.ok,
    definitions: result.definitions.map(({ definition, definition_hash, file }) => ({
      definition_id: definition.id,
      definition_hash,
      file,
    })),
    event_types: result.files
      .filter(({ kind }) => kind === 'event_type')
      .map(({ name, file }) => ({ type: name, file })),
    errors,
    warnings: result.warnings,
  };
}

function printSummary(result: LoadResult, errors: DefinitionError[], print: (line: string) => void): void {
  const errorsByFile = Map.groupBy(errors, ({ file }) => file);
  const warningsByFile = Map.groupBy(result.warnings, ({ file }) => file);
  const files = [...new Set([...result.files.map(({ file }) => file), ...errorsByFile.keys()])].sort();
  for (const file of files) {
    const found = errorsByFile.get(file) ?? [];
    print(`${found.length === 0 ? '✓' : '✗'} ${printable(file)}`);
    for (const error of found) print(printable(formatError(error)));
    for (const warning of warningsByFile.get(file) ?? []) print(printable(formatWarning(warning)));
  }
  print(summaryOf(result, errors));
}

function summaryOf(
  { definitions, eventTypes, files, warnings }: LoadResult,
  errors: DefinitionError[],
): string {
  // Without a file that could be opened, how many are valid says nothing.
  if (files.length === 0) {
    const [first, ...others] = errors;
    if (!first) return 'nothing was checked: no file there ends in .yaml or .yml';
    return others.length > 0
      ? `nothing was checked: ${count(errors.length, 'error')}`
      : `nothing was checked: ${printable(`${first.file}: ${first.message}`)}`;
  }
  return [
    `${count(definitions.length, 'definition')} and ${count(eventTypes.length, 'event type')} valid`,
    ...(errors.length > 0 ? [count(errors.length, 'error')] : []),
    ...(warnings.length > 0 ? [count(warnings.length, 'warning')] : []),
  ].join(', ');
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
