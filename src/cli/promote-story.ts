/** A promotion for people: numbered steps, what is there, and the one thing to do next. */
import type { Promotion } from '../clients/activity-core-api-live.ts';
import { indent, taskLines } from './details.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

type Check = Promotion['checks'][number];

const TITLES: Readonly<Record<string, string>> = {
  declared: 'definition',
  audit_run: 'audit run',
  review: 'review',
  issue_core: 'issue-core',
  sink_type: 'sink',
};

export function promotionStory(terminal: Terminal, promotion: Promotion): string[] {
  const { definition_id, sink_mode, sink_reason, checks } = promotion;
  const sink = sink_reason ? `${sink_mode}: ${sink_reason}` : sink_mode;
  return [
    `${terminal.style('bold', printable(definition_id))} is ${printable(sink)}`,
    '',
    ...checks.flatMap((check, at) => [
      stepLine(terminal, check, at + 1),
      ...(check.name === 'audit_run' ? indent(specLines(terminal, promotion), 5) : []),
    ]),
    '',
    ...nextLines(promotion),
  ];
}

function stepLine(terminal: Terminal, { name, ok, message }: Check, number: number): string {
  const mark = ok ? terminal.style('green', '✓') : terminal.style('red', '✗');
  return `${number}. ${mark} ${printable(TITLES[name] ?? name)}: ${printable(message)}`;
}

/** What the audit run made, and what issue-core already has for it. */
function specLines(terminal: Terminal, { tasks }: Promotion): string[] {
  return tasks.flatMap((task) => [
    ...taskLines(terminal, task.status, task.spec),
    ...indent([`issue-core: ${openText(task)}`]),
  ]);
}

function openText({ dedupe_key, open }: Promotion['tasks'][number]): string {
  if (dedupe_key === null) return 'no dedupe key, so each run makes a new task';
  if (open === null) return 'not asked for this key';
  if (open.length === 0) return 'nothing open under this key';
  return `open under this key: ${printable(open.map(({ ref }) => ref).join(', '))}`;
}

function nextLines(promotion: Promotion): string[] {
  const { checks, change, file, ready, sink_mode } = promotion;
  const left = checks.filter(({ ok }) => !ok);
  if (sink_mode === 'live') {
    const trouble = left.map(({ message }) => `But: ${printable(message)}`);
    return ['It is live already: its runs make real tasks.', ...trouble];
  }
  const [first] = left;
  if (!ready || first) return [`Next: ${first ? stepAfter(first, promotion) : 'try again'}`];
  if (!change) return ['It says emit: live, and nothing is left to do: its next run makes real tasks.'];
  return [
    `All that is left is one line in ${printable(file)} (it says ${change.from}, or has no such line):`,
    '',
    `  ${change.path}: ${change.to}`,
    '',
    'Then:',
    '  activity-core definitions plan',
    '  activity-core definitions apply',
  ];
}

/** What mends it, and whether this command is to be asked again. */
function stepAfter({ name, message }: Check, { definition_id, file, run }: Promotion): string {
  const id = printable(definition_id);
  if (name === 'declared') return `mend ${printable(file)} (${printable(message)}), and apply it`;
  if (name === 'audit_run')
    return `let it run as audit until it makes a task, or run it by hand: activity-core run ${id}`;
  if (name === 'review' && run)
    return `look at the specs above, then: activity-core review ${run.run_id} --verdict approved --reviewer NAME`;
  if (name === 'issue_core')
    return 'set ISSUE_CORE_URL and ISSUE_CORE_TOKEN of the service so that issue-core answers, and restart it';
  if (name === 'sink_type') return 'set ISSUE_SINK_TYPE=issue-core of the service, and restart it';
  return printable(message);
}
