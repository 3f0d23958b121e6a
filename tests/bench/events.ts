/** The work that everything here does: a metrics event arrives, a rule reads one field, some of ten events yield a spec. */
import { randomUUID } from 'node:crypto';

export const EVENT_TYPE = 'kaizen.metrics.recorded';
export const SUBJECT = `activity.${EVENT_TYPE}`;
export const THRESHOLD = 0.8;

const IN_FLIGHT = 1_000;

export function eventText(id: string, successRate: number): string {
  return JSON.stringify({
    id,
    type: EVENT_TYPE,
    source: 'bench',
    time: new Date().toISOString(),
    attributes: { agent: 'coach', project: 'kaizen-agentic', summary: { success_rate: successRate } },
  });
}

export interface Load {
  events: number;
  /** Of ten events, those that yield a spec. */
  specsOfTen: number;
}

export const specsOf = ({ events, specsOfTen }: Load): number =>
  Array.from({ length: events }, (_, n) => n).filter((n) => n % 10 < specsOfTen).length;

/** Each with an id of its own, and no more than 1,000 unanswered at a time. */
export async function sendAll(
  { events, specsOfTen }: Load,
  send: (text: string, id: string) => Promise<unknown>,
  inFlight = IN_FLIGHT,
): Promise<void> {
  const batch = randomUUID();
  let next = 0;
  const lane = async () => {
    while (next < events) {
      const n = next;
      next += 1;
      const id = `${batch}-${n}`;
      await send(eventText(id, n % 10 < specsOfTen ? 0.5 : 0.9), id);
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, events) }, lane));
}

export const perSecond = (count: number, milliseconds: number): number => (count / milliseconds) * 1_000;
