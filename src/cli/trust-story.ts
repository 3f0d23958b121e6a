/** Trust for people: the verdict, a table of the ticks, what is wrong with each, and the feedback. */
import type { Trust, TrustEvidence, TrustTick } from '../clients/activity-core-api-trust.ts';
import { fieldLines, indent } from './details.ts';
import { printable } from './printable.ts';
import { styleOf } from './status-style.ts';
import { type Column, cutTo, printTable } from './table.ts';
import type { Terminal } from './terminal.ts';
import { shortTime } from './time.ts';

/** What is wrong stands whole below the table. */
const SHORT = 24;

interface Part {
  title: string;
  of(evidence: TrustTick['evidence']): TrustEvidence;
}

const PARTS: readonly Part[] = [
  { title: 'TEMPORAL', of: ({ temporal_history }) => temporal_history },
  { title: 'RUN ROW', of: ({ activity_run }) => activity_run },
  { title: 'PROGRESS', of: ({ state_hub_progress }) => state_hub_progress },
  { title: 'NOTE', of: ({ working_memory_note }) => working_memory_note },
];

const COLUMNS: readonly Column<TrustTick>[] = [
  { title: 'TICK', value: ({ scheduled_for }) => shortTime(scheduled_for) },
  { title: 'STATE', value: ({ state }) => state, style: ({ state }) => styleOf(state) },
  { title: 'RUN', value: ({ run_id }) => run_id ?? '—' },
  ...PARTS.map(columnOf),
];

export function printTrust(terminal: Terminal, trust: Trust): void {
  const { ticks } = trust;
  terminal.print(`${verdictLine(terminal, trust)}\n`);
  if (ticks.length > 0) printTable(terminal, COLUMNS, ticks);
  else terminal.print(trust.scheduled ? 'No tick of its schedule is on record yet.' : 'It has no ticks.');
  const troubled = ticks.filter(({ state }) => state !== 'clean');
  for (const tick of troubled) terminal.print(`\n${troubleLines(terminal, tick).join('\n')}`);
  const unchecked = uncheckedLines(ticks);
  if (unchecked.length > 0) terminal.print(`\n${unchecked.join('\n')}`);
  terminal.print(`\n${trust.scheduled ? feedbackLine(trust) : elsewhere(trust)}`);
}

/** Nothing that anybody says of its runs would change the verdict. */
function elsewhere({ definition_id }: Trust): string {
  const id = printable(definition_id);
  return `Trust does not apply to it. What its runs did: activity-core runs list --definition ${id}; what it needs before it makes real tasks: activity-core promote ${id}`;
}

/** Evidence that stands as it was collected: what became of it since, nobody knows. */
function uncheckedLines(ticks: readonly TrustTick[]): string[] {
  const lines = ticks.flatMap(({ evidence }) =>
    PARTS.flatMap(({ title, of }) => {
      const { unchecked } = of(evidence);
      return unchecked === null ? [] : `${title} was not looked at again just now: ${printable(unchecked)}`;
    }),
  );
  return [...new Set(lines)];
}

function columnOf({ title, of }: Part): Column<TrustTick> {
  return {
    title,
    value(tick) {
      const { ok, detail, needed } = of(tick.evidence);
      if (!needed) return '—';
      if (ok) return 'ok';
      return isCollected(tick) ? cutTo(printable(detail), SHORT) : '—';
    },
    least: 8,
    style(tick) {
      const { ok, needed } = of(tick.evidence);
      if (!needed) return 'dim';
      if (ok) return 'green';
      return isCollected(tick) ? 'red' : 'dim';
    },
  };
}

/** Where nobody has looked, nothing was found missing. */
const isCollected = ({ collected_at }: TrustTick): boolean => collected_at !== null;

function verdictLine(terminal: Terminal, { definition_id, trusted, reason }: Trust): string {
  const verdict = trusted ? terminal.style('green', 'trusted') : terminal.style('red', 'not trusted');
  return `${terminal.style('bold', printable(definition_id))} is ${verdict}: ${printable(reason)}`;
}

function troubleLines(terminal: Terminal, tick: TrustTick): string[] {
  const { scheduled_for, state, run_id, evidence, reason } = tick;
  const style = styleOf(state);
  const shown = style ? terminal.style(style, state) : printable(state);
  const missing = PARTS.filter(({ of }) => isCollected(tick) && !of(evidence).ok);
  // The reason of a dirty tick is these details, one after the other.
  const why = reason === null || (state === 'dirty' && missing.length > 0) ? '' : `: ${printable(reason)}`;
  return [
    `${printable(shortTime(scheduled_for))} ${shown}${why}`,
    ...indent(
      fieldLines(
        terminal,
        missing.map(({ title, of }) => [title, of(evidence).detail]),
      ),
    ),
    ...(run_id ? indent([terminal.style('dim', `activity-core runs show ${printable(run_id)}`)]) : []),
  ];
}

function feedbackLine({ feedback, ticks }: Trust): string {
  if (feedback) {
    const { verdict, run_id, at } = feedback;
    return printable(`Feedback: ${verdict}, on run ${run_id} at ${shortTime(at)}`);
  }
  const over = ticks.filter(({ state, run_id }) => run_id !== null && state !== 'pending');
  const best = over.find(({ state }) => state === 'clean') ?? over[0];
  const command = `activity-core feedback ${printable(best?.run_id ?? '<run_id>')} --verdict useful`;
  return best
    ? `No feedback on these runs yet. Read one and say what it was worth: ${command} (or noisy, or wrong)`
    : `No feedback yet. When a run is over, say what it was worth: ${command} (or noisy, or wrong)`;
}
