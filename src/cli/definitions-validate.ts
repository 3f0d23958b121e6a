/** `definitions validate`: reads files, says what is wrong with them. Needs no server. */
import { type DefinitionError, formatError } from '../definitions/errors.ts';
import { type LoadResult, loadPaths } from '../definitions/load.ts';
import type { Resolvers } from '../resolvers/registry.ts';

export interface ValidateInput {
  /** Files or folders; `definitionsDir` where there are none. */
  paths: readonly string[];
  definitionsDir: string;
  json: boolean;
  resolvers: Resolvers;
  print(line: string): void;
}

/** The exit code: 1 where anything is wrong. */
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
  };
}

function printSummary(result: LoadResult, errors: DefinitionError[], print: (line: string) => void): void {
  const errorsByFile = Map.groupBy(errors, ({ file }) => file);
  const files = [...new Set([...result.files.map(({ file }) => file), ...errorsByFile.keys()])].sort();
  for (const file of files) {
    const found = errorsByFile.get(file) ?? [];
    print(`${found.length === 0 ? '✓' : '✗'} ${file}`);
    for (const error of found) print(formatError(error));
  }
  const { definitions, eventTypes } = result;
  const valid = `${count(definitions.length, 'definition')} and ${count(eventTypes.length, 'event type')} valid`;
  print(errors.length === 0 ? valid : `${valid}, ${count(errors.length, 'error')}`);
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
