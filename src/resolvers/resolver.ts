/** A context source type: what it asks for, what it binds, and how it gets that. */
import type { z } from 'zod';
import type { RunFacts } from '../core/decision.ts';
import type { EventType } from '../core/event-type.ts';
import type { Json, JsonObject, JsonSchema } from '../core/json.ts';

export interface ResolveInput<P> {
  params: P;
  /** The envelope, or null where no event started the run. */
  event: JsonObject | null;
  run: RunFacts;
}

export interface Resolver<P = unknown> {
  /** As in `context_sources[].type`. */
  type: string;
  /** `remote` waits for somebody else: such a definition does not share a dispatch with others. */
  io: 'local' | 'remote';
  /** What it binds follows from the event, the run's facts and its params alone: a backtest asks it again. */
  deterministic?: true;
  /** Which triggers it makes sense with; all of them unless set. */
  triggers?: readonly ('event' | 'schedule' | 'manual')[];
  params: z.ZodType<P>;
  /** JSON Schema of what it binds; `true` where that is known at run time only. `eventType` is the trigger's. */
  output(params: P, eventType: EventType | null): JsonSchema;
  /** Throws `ResolverError` where the reason is known; anything else counts as `resolver_failed`. */
  resolve(input: ResolveInput<P>): Promise<Json> | Json;
}

/** `code`: `event_missing` where an event is needed, `resolver_failed` for the rest. `retryable`: later it may work. */
export class ResolverError extends Error {
  override name = 'ResolverError';
  readonly code: 'event_missing' | 'resolver_failed';
  readonly retryable: boolean;

  constructor(
    code: ResolverError['code'],
    message: string,
    { retryable = false, ...options }: ErrorOptions & { retryable?: boolean } = {},
  ) {
    super(message, options);
    this.code = code;
    this.retryable = retryable;
  }
}
