/** One parsed file → the event type or the definition in it, or everything that is wrong with it. */
import type { AttributesSchemaCheck } from '../core/attributes.ts';
import { type CompiledDefinition, compileDefinition, type Warning } from '../core/compile.ts';
import { findSchemaProblems } from '../core/compile-instruction.ts';
import { type Definition, definitionSchema } from '../core/definition.ts';
import { contentSha256, type SourceDocument } from '../core/document.ts';
import { type EventType, eventTypeSchema } from '../core/event-type.ts';
import { isObject, type Json, type JsonObject } from '../core/json.ts';
import type { SchemaCheck } from '../core/json-schema.ts';
import { checkShape, locateProblem, type LocatedProblem as Problem } from '../core/shape.ts';
import { listNames, suggestion } from '../core/wording.ts';
import { reportTextsOf } from '../reports/registry.ts';
import { contextTypesOf, type Resolvers } from '../resolvers/registry.ts';
import { type DefinitionError, type DefinitionWarning, errorAt } from './errors.ts';
import { isReplaced, mendShape } from './mended.ts';
import type { SourceFile } from './source-files.ts';

export interface LoadedDefinition {
  definition: Definition;
  /** The definition as JSON, defaults filled in: what the hash is made of. */
  document: JsonObject;
  definition_hash: string;
  file: string;
  compiled: CompiledDefinition;
}

/** A type by name; `eventType` is null where its file is invalid. */
export interface RegistryEntry {
  file: string;
  eventType: EventType | null;
}

export type Checked<T> =
  | { ok: true; value: T; warnings: DefinitionWarning[] }
  | { ok: false; errors: DefinitionError[]; warnings: DefinitionWarning[] };

export function isEventType(source: SourceFile, document: SourceDocument): boolean {
  const { attributes_schema, type, trigger } = document.value;
  return (
    source.inEventTypesFolder ||
    attributes_schema !== undefined ||
    (type !== undefined && trigger === undefined)
  );
}

export function checkEventType(
  source: SourceFile,
  document: SourceDocument,
  checkSchema: AttributesSchemaCheck,
): Checked<EventType> {
  const shaped = checkShape(eventTypeSchema, document.value);
  const problems: Problem[] = shaped.ok ? [] : [...shaped.problems];
  const { type, attributes_schema } = document.value;
  if (isObject(attributes_schema)) {
    for (const { path, message } of checkSchema(attributes_schema)) {
      problems.push({ path: ['attributes_schema', ...path], message });
    }
  }
  if (shaped.ok && type !== source.name) {
    problems.push({ path: ['type'], message: nameMessage(source, shaped.value.type) });
  }
  return shaped.ok && problems.length === 0
    ? { ok: true, value: shaped.value, warnings: [] }
    : refuse(source, document, problems);
}

export function checkDefinition(
  source: SourceFile,
  document: SourceDocument,
  resolvers: Resolvers,
  registry: ReadonlyMap<string, RegistryEntry>,
  checkSchema: SchemaCheck,
): Checked<LoadedDefinition> {
  const shaped = checkShape(definitionSchema, document.value);
  const mended = shaped.ok
    ? { definition: shaped.value, replaced: [] }
    : mendShape(document.value, shaped.problems, source.name);
  const ofShape: Problem[] = shaped.ok ? [] : shaped.problems;
  if (!mended) return refuse(source, document, ofShape);

  const { definition, replaced } = mended;
  const { problems, warnings, compiled } = checkContent(definition, source, resolvers, registry, checkSchema);
  const isOwn = ({ path }: Problem): boolean => !isReplaced(replaced, path);
  const faults = [...ofShape, ...problems.filter(isOwn)];
  const told = warnings.filter(isOwn).map((warning) => warningAt(source, document, warning));
  if (faults.length > 0 || !compiled) return refuse(source, document, faults, told);
  const canonical = toJson(definition);
  return {
    ok: true,
    value: {
      definition,
      document: canonical,
      definition_hash: contentSha256(canonical),
      file: source.file,
      compiled,
    },
    warnings: told,
  };
}

/** What is not known, an unknown event type or source, is dynamic: an expression that reads it is not told as wrong too. */
function checkContent(
  definition: Definition,
  source: SourceFile,
  resolvers: Resolvers,
  registry: ReadonlyMap<string, RegistryEntry>,
  checkSchema: SchemaCheck,
): { problems: Problem[]; warnings: Warning[]; compiled: CompiledDefinition | null } {
  const problems: Problem[] = findSchemaProblems(definition, checkSchema);
  if (definition.id !== source.name)
    problems.push({ path: ['id'], message: nameMessage(source, definition.id) });
  const wanted = definition.trigger.event?.type;
  const eventType = wanted === undefined ? null : (registry.get(wanted)?.eventType ?? null);
  if (wanted !== undefined && eventType === null) {
    problems.push({ path: ['trigger', 'event', 'type'], message: eventTypeMessage(wanted, registry) });
  }
  const context = contextTypesOf(definition, resolvers, eventType);
  if (!context.ok) problems.push(...context.problems);
  const reports = reportTextsOf(definition);
  if (!reports.ok) problems.push(...reports.problems);

  const known = reports.ok ? definition : { ...definition, reports: [] };
  const reportTexts = reports.ok ? reports.texts : [];
  const result = compileDefinition(known, { eventType, contextTypes: context.types, reportTexts });
  if (!result.ok) problems.push(...result.problems);
  return { problems, warnings: result.warnings, compiled: result.ok ? result.compiled : null };
}

function nameMessage(source: SourceFile, found: string): string {
  return `expected the name of the file, \`${source.name}\`; found \`${found}\``;
}

function eventTypeMessage(wanted: string, registry: ReadonlyMap<string, RegistryEntry>): string {
  const broken = registry.get(wanted);
  if (broken) return `the event type \`${wanted}\` is itself invalid: see ${broken.file}`;
  const known = [...registry.keys()].sort();
  const registered =
    known.length > 0 ? `registered types: ${listNames(known)}` : 'no event type is registered';
  return `unknown event type \`${wanted}\`${suggestion(wanted, known)}; ${registered}`;
}

function refuse(
  source: SourceFile,
  document: SourceDocument,
  problems: Problem[],
  warnings: DefinitionWarning[] = [],
): { ok: false; errors: DefinitionError[]; warnings: DefinitionWarning[] } {
  const errors = problems.map((problem) => errorAt(source.file, locateProblem(document, problem)));
  return { ok: false, errors, warnings };
}

function warningAt(source: SourceFile, document: SourceDocument, warning: Warning): DefinitionWarning {
  return { ...errorAt(source.file, locateProblem(document, warning)), code: warning.warning };
}

/** The zod output without its `undefined` members. */
function toJson(definition: Definition): JsonObject {
  const value: Json = JSON.parse(JSON.stringify(definition));
  return value as JsonObject;
}
