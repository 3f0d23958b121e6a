/** One parsed file → the event type or the definition in it, or everything that is wrong with it. */
import type { AttributesSchemaCheck } from '../core/attributes.ts';
import { type CompiledDefinition, compileDefinition } from '../core/compile.ts';
import { findSchemaProblems } from '../core/compile-instruction.ts';
import { type Definition, definitionSchema } from '../core/definition.ts';
import { contentSha256, type SourceDocument } from '../core/document.ts';
import { type EventType, eventTypeSchema } from '../core/event-type.ts';
import type { Json, JsonObject } from '../core/json.ts';
import type { SchemaCheck } from '../core/json-schema.ts';
import { checkShape, locateProblem, type LocatedProblem as Problem } from '../core/shape.ts';
import { listNames, suggestion } from '../core/wording.ts';
import { reportTextsOf } from '../reports/registry.ts';
import { contextTypesOf, type Resolvers } from '../resolvers/registry.ts';
import { type DefinitionError, errorAt } from './errors.ts';
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

export type Checked<T> = { ok: true; value: T } | { ok: false; errors: DefinitionError[] };

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
  if (!shaped.ok) return refuse(source, document, shaped.problems);
  const eventType = shaped.value;
  const problems: Problem[] = checkSchema(eventType.attributes_schema).map(({ path, message }) => ({
    path: ['attributes_schema', ...path],
    message,
  }));
  if (eventType.type !== source.name) {
    problems.push({ path: ['type'], message: nameMessage(source, eventType.type) });
  }
  return problems.length > 0 ? refuse(source, document, problems) : { ok: true, value: eventType };
}

export function checkDefinition(
  source: SourceFile,
  document: SourceDocument,
  resolvers: Resolvers,
  registry: ReadonlyMap<string, RegistryEntry>,
  checkSchema: SchemaCheck,
): Checked<LoadedDefinition> {
  const shaped = checkShape(definitionSchema, document.value);
  if (!shaped.ok) return refuse(source, document, shaped.problems);
  const definition = shaped.value;
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

  // Without the types, each expression that reads them would be told as wrong too.
  if (context.ok && (wanted === undefined || eventType !== null)) {
    const known = reports.ok ? definition : { ...definition, reports: [] };
    const reportTexts = reports.ok ? reports.texts : [];
    const result = compileDefinition(known, { eventType, contextTypes: context.types, reportTexts });
    if (!result.ok) problems.push(...result.problems);
    else if (problems.length === 0) {
      const canonical = toJson(definition);
      return {
        ok: true,
        value: {
          definition,
          document: canonical,
          definition_hash: contentSha256(canonical),
          file: source.file,
          compiled: result.compiled,
        },
      };
    }
  }
  return refuse(source, document, problems);
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
): { ok: false; errors: DefinitionError[] } {
  return {
    ok: false,
    errors: problems.map((problem) => errorAt(source.file, locateProblem(document, problem))),
  };
}

/** The zod output without its `undefined` members. */
function toJson(definition: Definition): JsonObject {
  const value: Json = JSON.parse(JSON.stringify(definition));
  return value as JsonObject;
}
