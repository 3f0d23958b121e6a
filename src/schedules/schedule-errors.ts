/** Why Temporal did not do what was asked. Apart from its client, which is slow to load. */

/** Temporal is away, or does not answer as expected: the same again later. */
export class TemporalUnavailableError extends Error {
  readonly code = 'unavailable';

  constructor(what: string, cause: unknown) {
    super(what, { cause });
  }
}

/** Asked again, Temporal would refuse it again. */
export class ScheduleRefusedError extends Error {
  readonly code = 'schedule_refused';
}
