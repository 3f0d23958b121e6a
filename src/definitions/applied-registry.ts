/**
 * What is applied, compiled and held in memory. Read again when `registry_version` moved on: one small query a batch,
 * and a change is seen by the next event, where a notification could be missed behind a connection pooler.
 */
import { createAttributesValidator, type Violation } from '../core/attributes.ts';
import { type CompiledDefinition, compileDefinition } from '../core/compile.ts';
import { findSchemaProblems } from '../core/compile-instruction.ts';
import { type Definition, triggerKind } from '../core/definition.ts';
import type { EventType } from '../core/event-type.ts';
import type { JsonObject } from '../core/json.ts';
import { createSchemaCheck } from '../core/json-schema.ts';
import { reviewedContentHash } from '../core/reviewed-content.ts';
import { reportTextsOf } from '../reports/registry.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { contextTypesOf } from '../resolvers/registry.ts';
import { findRevision, listCurrentDefinitions, readRegistryVersion } from '../store/definitions.ts';
import { listEventTypes } from '../store/event-types.ts';
import { type Pool, transaction } from '../store/pool.ts';
import { type ApprovedContent, listApprovedContents } from '../store/run-reviews.ts';

export interface Revision {
  definition_id: string;
  definition_hash: string;
  definition: Definition;
  /** Null where this version of the software cannot compile it; `problem` says why. Its runs fail with `definition_invalid`. */
  compiled: CompiledDefinition | null;
  problem: string | null;
  /** The latest verdict on its content is an approval: with `emit: live` it may emit (contract 3). */
  approved: boolean;
}

export interface ActiveDefinition extends Revision {
  paused: boolean;
  pause_reason: string | null;
}

export interface Registry {
  version: number;
  eventTypes: EventType[];
  /** Types whose schema this version of the software cannot compile, with the reason: their events are quarantined. */
  eventTypeProblems: ReadonlyMap<string, string>;
  definitions: ActiveDefinition[];
  find(definitionId: string): ActiveDefinition | undefined;
  /** The enabled definitions that an event of this type triggers. */
  triggeredBy(eventType: string): readonly ActiveDefinition[];
  /** Null where the type is not registered. */
  attributesCheck(eventType: string): ((attributes: JsonObject) => Violation[]) | null;
  /** A revision that a run is pinned to, compiled against these event types; null where it was never applied. */
  revision(definitionId: string, hash: string): Promise<Revision | null>;
}

export interface AppliedRegistry {
  /** What was current when it was asked last; null before that. */
  held(): Registry | null;
  current(): Promise<Registry>;
}

const REVISIONS_KEPT = 500;

export function createAppliedRegistry(pool: Pool, resolvers: Resolvers): AppliedRegistry {
  let held: Registry | null = null;
  let loading: Promise<Registry> | null = null;
  return {
    held: () => held,
    async current() {
      const version = await readRegistryVersion(pool);
      if (held?.version === version) return held;
      let registry: Registry;
      do {
        loading ??= load(pool, resolvers).finally(() => {
          loading = null;
        });
        registry = await loading;
        // A load that others had begun may be older than what this caller has seen.
      } while (registry.version < version);
      held = registry;
      return registry;
    },
  };
}

async function load(pool: Pool, resolvers: Resolvers): Promise<Registry> {
  const { version, eventTypes, rows, contents } = await transaction(pool, async (client) => {
    // One snapshot: an apply between two of these would give types and definitions that were never together.
    await client.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    return {
      version: await readRegistryVersion(client),
      eventTypes: await listEventTypes(client),
      rows: await listCurrentDefinitions(client),
      contents: await listApprovedContents(client),
    };
  });
  const approvedContents = new Set(contents.map(contentKey));
  const isApproved = (definition: Definition): boolean =>
    approvedContents.has(
      contentKey({ definition_id: definition.id, content_hash: reviewedContentHash(definition) }),
    );
  const compile = (document: Definition, hash: string): Revision => ({
    ...compileRevision(document, hash, eventTypes, resolvers),
    approved: isApproved(document),
  });
  const definitions = rows.map((row) => ({
    ...compile(row.document, row.definition_hash),
    paused: row.paused,
    pause_reason: row.pause_reason,
  }));
  const byId = new Map(definitions.map((definition) => [definition.definition_id, definition]));
  const byEventType = Map.groupBy(
    definitions.filter(({ definition }) => definition.enabled && triggerKind(definition) === 'event'),
    ({ definition }) => definition.trigger.event?.type ?? '',
  );
  const revisions = new Map<string, Revision>();
  const eventTypeProblems = new Map<string, string>();
  const checks = new Map(
    eventTypes.map((eventType) => [eventType.type, compileCheck(eventType, eventTypeProblems)]),
  );
  return {
    version,
    eventTypes,
    eventTypeProblems,
    definitions,
    find: (definitionId) => byId.get(definitionId),
    triggeredBy: (eventType) => byEventType.get(eventType) ?? [],
    attributesCheck: (eventType) => checks.get(eventType) ?? null,
    async revision(definitionId, hash) {
      const active = byId.get(definitionId);
      if (active?.definition_hash === hash) return active;
      const key = `${definitionId}@${hash}`;
      const known = revisions.get(key);
      if (known) return known;
      const definition = await findRevision(pool, definitionId, hash);
      if (!definition) return null;
      const revision = compile(definition, hash);
      if (revisions.size >= REVISIONS_KEPT) revisions.clear();
      revisions.set(key, revision);
      return revision;
    },
  };
}

const contentKey = ({ definition_id, content_hash }: ApprovedContent): string =>
  `${definition_id}@${content_hash}`;

/** One type that cannot be compiled here must not stop the others: its events are kept in quarantine until it can. */
function compileCheck(
  eventType: EventType,
  problems: Map<string, string>,
): (attributes: JsonObject) => Violation[] {
  try {
    return createAttributesValidator(eventType);
  } catch (error) {
    const problem = `this version cannot compile the type's schema: ${(error as Error).message}`;
    problems.set(eventType.type, problem);
    return () => [{ pointer: '/attributes', message: problem }];
  }
}

function compileRevision(
  definition: Definition,
  hash: string,
  eventTypes: EventType[],
  resolvers: Resolvers,
): Omit<Revision, 'approved'> {
  const eventType = eventTypes.find(({ type }) => type === definition.trigger.event?.type) ?? null;
  const revision = { definition_id: definition.id, definition_hash: hash, definition };
  const contextTypes = contextTypesOf(definition, resolvers, eventType);
  if (!contextTypes.ok) return { ...revision, compiled: null, problem: contextTypes.message };
  const reports = reportTextsOf(definition);
  if (!reports.ok) return { ...revision, compiled: null, problem: reports.message };
  const unusable =
    definition.instructions.length > 0
      ? findSchemaProblems(definition, createSchemaCheck({ isApplied: true }))
      : [];
  const input = { eventType, contextTypes: contextTypes.types, reportTexts: reports.texts };
  const compiled = compileDefinition(definition, input);
  if (compiled.ok && unusable.length === 0)
    return { ...revision, compiled: compiled.compiled, problem: null };
  const problems = [...unusable, ...(compiled.ok ? [] : compiled.problems)];
  const problem = problems.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
  return { ...revision, compiled: null, problem };
}
