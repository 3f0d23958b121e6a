/** Files or folders of authors → definitions, compiled, and the event types beside them; or every error at once. */
import { dirname } from 'node:path';
import { type AttributesSchemaCheck, createAttributesSchemaCheck } from '../core/attributes.ts';
import { parseDocument, type SourceDocument } from '../core/document.ts';
import type { EventType } from '../core/event-type.ts';
import { createSchemaCheck } from '../core/json-schema.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import {
  checkDefinition,
  checkEventType,
  isEventType,
  type LoadedDefinition,
  type RegistryEntry,
} from './check.ts';
import { byPlace, type DefinitionError, type DefinitionWarning, errorAt, fileError } from './errors.ts';
import {
  eventTypesFolderIn,
  findSourceFiles,
  readSourceFile,
  reasonOf,
  type SourceFile,
} from './source-files.ts';

/** `name`: the id or the event type; null where the file is invalid. */
export interface CheckedFile {
  file: string;
  kind: 'definition' | 'event_type' | null;
  name: string | null;
}

/** What is valid, definitions in the order of their ids, event types in that of their names; and the warnings of all files. */
export interface Loaded {
  definitions: LoadedDefinition[];
  eventTypes: EventType[];
  files: CheckedFile[];
  warnings: DefinitionWarning[];
}

export type LoadResult = (Loaded & { ok: true }) | (Loaded & { ok: false; errors: DefinitionError[] });

/** A folder of definitions with its `event-types/`. */
export function loadDefinitions(dir: string, resolvers: Resolvers): Promise<LoadResult> {
  return loadPaths([dir], { resolvers, definitionsDir: null });
}

/**
 * Files or folders. The event types of a definition are those among the paths and those in `event-types/` beside it;
 * where nothing is beside it, those of `definitionsDir`.
 */
export async function loadPaths(
  paths: readonly string[],
  { resolvers, definitionsDir }: { resolvers: Resolvers; definitionsDir: string | null },
): Promise<LoadResult> {
  const found = await findSourceFiles(paths);
  const opened = await Promise.all(found.files.map(openSource));
  const errors = [...found.errors, ...opened.flatMap((entry) => (entry.document ? [] : entry.errors))];
  const files = new Map<string, CheckedFile>(
    found.files.map(({ file }) => [file, { file, kind: null, name: null }]),
  );

  const checkSchema = createAttributesSchemaCheck();
  const given = checkEventTypes(opened, checkSchema);
  errors.push(...given.errors);
  for (const [name, { file, eventType }] of given.registry) {
    if (eventType) files.set(file, { file, kind: 'event_type', name });
  }

  const warnings: DefinitionWarning[] = [];
  const definitions = new Map<string, LoadedDefinition>();
  const checkOutputSchema = createSchemaCheck();
  const registries = createRegistries(given.registry, definitionsDir, checkSchema);
  for (const { source, document } of opened) {
    if (!document || isEventType(source, document)) continue;
    const registry = await registries(dirname(source.file));
    const checked = checkDefinition(source, document, resolvers, registry, checkOutputSchema);
    warnings.push(...checked.warnings);
    if (!checked.ok) {
      errors.push(...checked.errors);
      continue;
    }
    const { id } = checked.value.definition;
    const before = definitions.get(id);
    if (before) {
      const message = `the id \`${id}\` stands in ${before.file} already`;
      errors.push(errorAt(source.file, { ...document.locate(['id']), path: ['id'], message }));
      continue;
    }
    definitions.set(id, checked.value);
    files.set(source.file, { file: source.file, kind: 'definition', name: id });
  }

  const loaded: Loaded = {
    definitions: [...definitions.values()].sort((a, b) => (a.definition.id < b.definition.id ? -1 : 1)),
    eventTypes: [...given.registry.values()]
      .flatMap(({ eventType }) => eventType ?? [])
      .sort((a, b) => (a.type < b.type ? -1 : 1)),
    files: [...files.values()],
    warnings: warnings.sort(byPlace),
  };
  return errors.length === 0
    ? { ok: true, ...loaded }
    : { ok: false, ...loaded, errors: errors.sort(byPlace) };
}

interface OpenedSource {
  source: SourceFile;
  document: SourceDocument | null;
  errors: DefinitionError[];
}

async function openSource(source: SourceFile): Promise<OpenedSource> {
  try {
    const parsed = parseDocument(await readSourceFile(source));
    if (parsed.ok) return { source, document: parsed.document, errors: [] };
    return { source, document: null, errors: parsed.faults.map((fault) => errorAt(source.file, fault)) };
  } catch (error) {
    return { source, document: null, errors: [fileError(source.file, reasonOf(error))] };
  }
}

/** Event types by name, the invalid ones too: a definition that names one should hear of that, not of an unknown type. */
function checkEventTypes(
  opened: OpenedSource[],
  checkSchema: AttributesSchemaCheck,
): {
  registry: Map<string, RegistryEntry>;
  errors: DefinitionError[];
} {
  const registry = new Map<string, RegistryEntry>();
  const errors: DefinitionError[] = [];
  for (const { source, document } of opened) {
    if (!document) {
      if (source.inEventTypesFolder) registry.set(source.name, { file: source.file, eventType: null });
      continue;
    }
    if (!isEventType(source, document)) continue;
    const checked = checkEventType(source, document, checkSchema);
    const before = registry.get(source.name);
    if (!checked.ok) {
      errors.push(...checked.errors);
      if (!before) registry.set(source.name, { file: source.file, eventType: null });
    } else if (before) {
      const message = `the event type \`${source.name}\` stands in ${before.file} already`;
      errors.push(errorAt(source.file, { ...document.locate(['type']), path: ['type'], message }));
    } else {
      registry.set(source.name, { file: source.file, eventType: checked.value });
    }
  }
  return { registry, errors };
}

/** The event types that a definition in this folder can name. Each folder is read once. */
function createRegistries(
  given: Map<string, RegistryEntry>,
  definitionsDir: string | null,
  checkSchema: AttributesSchemaCheck,
) {
  const read = new Map<string, Map<string, RegistryEntry>>();
  return async (folder: string): Promise<ReadonlyMap<string, RegistryEntry>> => {
    const known = read.get(folder);
    if (known) return known;
    const beside =
      (await eventTypesFolderIn(folder)) ?? (definitionsDir && (await eventTypesFolderIn(definitionsDir)));
    const found = beside ? await findSourceFiles([beside]) : { files: [] };
    const { registry } = checkEventTypes(await Promise.all(found.files.map(openSource)), checkSchema);
    const joined = new Map([...registry, ...given]);
    read.set(folder, joined);
    return joined;
  };
}
