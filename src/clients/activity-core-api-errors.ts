/** Why a request to the HTTP API gave no result. Expected outcomes: their messages are for people. */
import type { DefinitionErrorAnswer } from './activity-core-api-plan.ts';
import type { Problem, Violation } from './activity-core-api-shapes.ts';

/** The API answered with an RFC 9457 problem. `code`: the stable ones of contract 5. */
export class ApiProblemError extends Error {
  readonly status: number;
  readonly code: string;
  readonly violations: readonly Violation[];
  /** With `ambiguous_id`: the events that have it. */
  readonly eventUids: readonly string[];
  /** With `invalid_definitions`: what is wrong with which file. */
  readonly definitionErrors: readonly DefinitionErrorAnswer[];

  constructor(status: number, problem: Problem) {
    super(problem.detail ?? problem.title ?? `the API answered ${status}`);
    this.status = status;
    this.code = problem.code;
    this.violations = problem.violations ?? [];
    this.eventUids = problem.event_uids ?? [];
    this.definitionErrors = problem.errors ?? [];
  }
}

/** No answer came. */
export class ApiUnreachableError extends Error {
  constructor(url: string, reason: string, cause: unknown) {
    super(`no activity-core answers at ${url}: ${reason}`, { cause });
  }
}

/** Something answered, but not what activity-core's API answers. */
export class UnexpectedAnswerError extends Error {
  constructor(url: string, what: string, cause?: unknown) {
    super(`what answers at ${url} does not speak activity-core's API: ${what}`, { cause });
  }
}
