/** What is wrong with a file of an author, and where (contract 5, `errors`). */
import { type Fault, formatPath } from '../core/document.ts';
import type { WarningCode } from '../core/expression-warning.ts';

/** `line` and `column` count from 1; `path` is empty where the file as a whole is meant. */
export interface DefinitionError {
  file: string;
  line: number;
  column: number;
  path: string;
  message: string;
}

/** The definition works, if perhaps not as it is meant. `code` stands in docs/errors.md. */
export interface DefinitionWarning extends DefinitionError {
  code: WarningCode;
}

export function errorAt(file: string, fault: Fault): DefinitionError {
  const { line, column, path, message } = fault;
  return { file, line, column, path: formatPath(path), message };
}

export function fileError(file: string, message: string): DefinitionError {
  return { file, line: 1, column: 1, path: '', message };
}

/** `definitions/x.yaml:12:7 rules[0].condition: …` (contract 9). */
export function formatError({ file, line, column, path, message }: DefinitionError): string {
  return `${file}:${line}:${column} ${path || '(file)'}: ${message}`;
}

/** As an error, with `warning:` before the message and the code after it. */
export function formatWarning(warning: DefinitionError & { code: string }): string {
  return formatError({ ...warning, message: `warning: ${warning.message} (${warning.code})` });
}

export function byPlace(a: DefinitionError, b: DefinitionError): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || a.column - b.column;
}
