/** What is published. Everything of a message but its time follows from its number: what is sent again is a duplicate. */
import { METRICS_TYPE, WANTED_TYPE } from './definitions.ts';

export const SOURCE = 'soak';
export const METRICS_SUBJECT = `activity.${METRICS_TYPE}`;
export const WANTED_SUBJECT = `activity.${WANTED_TYPE}`;

/** Their numbers begin at the third character. */
export const metricsId = (n: number): string => `e-${n}`;
export const wantedId = (n: number): string => `w-${n}`;

export function metricsBody(n: number): string {
  const success_rate = n % 10 < 8 ? 0.5 : 0.9;
  const attributes = { agent: `agent-${n % 10}`, project: `project-${n % 20}`, summary: { success_rate } };
  return JSON.stringify({ id: metricsId(n), type: METRICS_TYPE, source: SOURCE, time: now(), attributes });
}

export const wantedBody = (n: number): string =>
  JSON.stringify({
    id: wantedId(n),
    type: WANTED_TYPE,
    source: SOURCE,
    time: now(),
    attributes: { number: n },
  });

export const malformedBody = (n: number): string => `not JSON, number ${n}`;

const now = () => new Date().toISOString();

/** One in twenty is sent once more, twenty events later; each hundredth has a malformed one beside it. */
export const DUPLICATE_EVERY = 20;
export const MALFORMED_EVERY = 100;

/** The event that is sent again beside the n-th; null where none is. */
export const repeatedBeside = (n: number): number | null =>
  n % DUPLICATE_EVERY === DUPLICATE_EVERY - 1 && n >= DUPLICATE_EVERY ? n - DUPLICATE_EVERY : null;

export const isMalformedBeside = (n: number): boolean => n % MALFORMED_EVERY === 0;
