/** How long somebody who does not answer is asked again, a source, a model or a report's sink: two minutes (contract 8). */

const RETRIED_FOR_MS = 120_000;
/** However long each of them takes. */
const MIN_ATTEMPTS = 3;

/** `attempts`: with the one that was in vain just now. `waitedMs`: since the first of them. */
export const mayAskAgain = (attempts: number, waitedMs: number): boolean =>
  attempts < MIN_ATTEMPTS || waitedMs < RETRIED_FOR_MS;
