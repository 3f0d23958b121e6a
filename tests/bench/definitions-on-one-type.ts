/** (g) What a further definition on the same event type costs, beside the first. */
import { type Bench, inRounds } from './bench.ts';
import { DEFINITION_COUNTS } from './idle-latency.ts';
import type { Row } from './report.ts';
import { type Drain, drain, drainRow } from './saturation.ts';
import { expectWork, openSubject } from './subject.ts';

/** Draining a backlog: published at once, the publisher would be a part of what the first definition costs. */
export async function measureDefinitionsOnOneType(bench: Bench): Promise<Row[]> {
  const { servers, options, tell } = bench;
  const rows: Row[] = [];
  let first: number | null = null;
  for (const definitions of DEFINITION_COUNTS) {
    tell(`  ${definitions} on the type`);
    // As many pairs each, for they are the work; so many events at least that dispatches fill up.
    const load = { events: Math.max(Math.ceil(options.pairs / definitions), 10), specsOfTen: 8 };
    await using subject = await openSubject(servers, { definitions });
    const drains: Drain[] = await inRounds(bench, () => drain(subject, load, { definitions }));
    await expectWork(subject, load, { definitions, rounds: options.rounds });
    const what = `activity-core, drains ${load.events} events with ${definitions} on the type`;
    const row = drainRow(`definitions.${definitions}`, what, drains);
    rows.push(row);
    const rate = row.value ?? Number.NaN;
    if (first === null) {
      first = rate;
      continue;
    }
    rows.push({
      id: `definitions.${definitions}.further`,
      what: '  time of each further one, of that of the first',
      value: 100 * furtherCost(first, rate, definitions),
      unit: '%',
    });
  }
  return rows;
}

/** Of an event's time with one definition, what each of the others adds. Rates in events a second. */
export function furtherCost(rateOfOne: number, rateOfAll: number, definitions: number): number {
  return (1 / rateOfAll - 1 / rateOfOne) / (definitions - 1) / (1 / rateOfOne);
}
