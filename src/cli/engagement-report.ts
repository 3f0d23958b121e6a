/** How `engagement check` reads. */
import type { Alignment, Clock, ComparedSource, Finding, Mend, Note } from '../core/engagement-alignment.ts';
import { codeOf } from '../core/engagement-alignment.ts';
import { count, type Field, fieldLines, indent } from './details.ts';
import { printable } from './printable.ts';
import { type Column, printTable } from './table.ts';
import type { Terminal } from './terminal.ts';

/** What to do about a repository that is skipped, by the code of its reason. */
export const SKIP_ADVICE: Readonly<Record<string, string>> = {
  missing: 'check out the repository there, or mend or remove its line in the roster',
  no_schedule: 'write its .kaizen/schedule.yml, or remove its line in the roster',
  malformed: 'mend the file at the place that the reason names',
  invalid_cadence: 'write daily, weekly or monthly; every hour is `cadence: daily` with an hourly cron',
  outside_root: 'move the repository below KAIZEN_REPOS_ROOT, or replace the link or path that leads out',
  too_large: 'shorten the file to at most 64 KiB',
  unreadable: 'give the service the right to read it; it must be a regular file',
  engagement_mismatch: 'name this engagement in its file, or remove its line in the roster',
};

const MOST_CRONS_TOLD = 10;

export function printAlignment(terminal: Terminal, alignment: Alignment): void {
  const { definitions, in_step, findings, notes } = alignment;
  const { print, style } = terminal;
  if (definitions.length === 0) {
    print(
      'No enabled definition with a schedule has a discover_kaizen_scheduled_repos source: nothing to compare.',
    );
    return;
  }
  printTable(terminal, COLUMNS, definitions);
  for (const finding of findings) print(['', ...findingLines(terminal, finding, definitions)].join('\n'));
  if (notes.length > 0) print(['', ...noteLines(terminal, notes)].join('\n'));
  const colour = findings.length === 0 ? 'green' : 'red';
  const found = findings.length === 0 ? 'nothing to mend' : `${count(findings.length, 'finding')} to mend`;
  print(`\n${style(colour, `${count(in_step, 'schedule')} in step, ${found}`)}`);
}

const COLUMNS: readonly Column<ComparedSource>[] = [
  { title: 'DEFINITION', value: ({ definition_id }) => definition_id },
  { title: 'SCHEDULE', value: clockText },
  { title: 'AGENTS', value: ({ agents }) => agents?.join(', ') ?? 'every one', least: 12 },
  { title: 'REPOSITORIES', value: ({ repos_scanned }) => String(repos_scanned ?? '-'), align: 'right' },
  { title: 'RESULT', value: resultText, least: 20, style: resultStyle },
];

function resultText({ not_compared, in_step, out_of_step }: ComparedSource): string {
  if (not_compared !== null) return `not compared: ${not_compared}`;
  return out_of_step === 0 ? `${in_step} in step` : `${in_step} in step, ${out_of_step} out of step`;
}

function resultStyle({ not_compared, out_of_step }: ComparedSource) {
  if (not_compared !== null) return 'dim';
  return out_of_step === 0 ? 'green' : 'red';
}

function clockText({ cron, every, timezone }: Clock): string {
  return cron === null ? `every ${every}` : `${cron} ${timezone}`;
}

function findingLines(
  terminal: Terminal,
  finding: Finding,
  definitions: readonly ComparedSource[],
): string[] {
  const title = (text: string, problem: string) =>
    `${terminal.style('bold', printable(text))}: ${terminal.style('red', printable(problem))}`;
  if (finding.kind === 'not_discovered') {
    return [
      title(finding.definition_id, 'its repositories cannot be discovered'),
      ...indent([printable(finding.message)]),
    ];
  }
  if (finding.kind === 'skipped') {
    const { repo, reason } = finding;
    const advice = SKIP_ADVICE[codeOf(reason)] ?? null;
    return [
      title(repo, 'is skipped'),
      ...indent(
        fieldLines(terminal, [
          ['reason', reason],
          ['mend', advice],
        ]),
      ),
    ];
  }
  const { repo, agent, cadence, relation, definition_id, definition, first_missed, mend } = finding;
  const problem =
    relation === 'never' ? `never in step with ${definition_id}` : `partly out of step with ${definition_id}`;
  const fields: Field[] = [
    ['repository', `${clockText({ ...finding, every: null })} (${cadence})`],
    ['definition', clockText(definition)],
    ['first missed', `${first_missed}: the repository is due, the definition does not run`],
    ['mend', repositoryMend(mend.repository)],
    ['or', definitionMend(mend.definition, definition, wantedOf(definition_id, definitions))],
  ];
  return [title(`${repo}, ${agent}`, problem), ...indent(fieldLines(terminal, fields))];
}

function repositoryMend({ file, agent, cron, timezone, changes }: Mend['repository']): string {
  const change = cron === null ? 'leave the cron out' : `set the cron to "${cron}" (timezone ${timezone})`;
  return `in ${file}, agent ${agent}: ${change}${changes === null ? '' : `; ${changes}`}`;
}

/** The crons that a definition would have to serve, each once. */
function wantedOf(definitionId: string, definitions: readonly ComparedSource[]): string[] {
  const ofIt = definitions.filter(({ definition_id }) => definition_id === definitionId);
  return [
    ...new Set(ofIt.flatMap(({ wanted }) => wanted.map(({ cron, timezone }) => `${cron} ${timezone}`))),
  ];
}

function definitionMend(mend: Mend['definition'], { cron }: Clock, wanted: readonly string[]): string {
  if (mend === null) {
    const told = wanted.slice(0, MOST_CRONS_TOLD).join(', ');
    const more = wanted.length > MOST_CRONS_TOLD ? ` and ${wanted.length - MOST_CRONS_TOLD} more` : '';
    return `none of the repositories' crons suits all; the definition would have to fire at each of these: ${told}${more}`;
  }
  const instead = cron === null ? ' in place of every' : '';
  return `in ${mend.file}: set trigger.schedule.cron to "${mend.cron}"${instead} (timezone ${mend.timezone})`;
}

function noteLines(terminal: Terminal, notes: readonly Note[]): string[] {
  const byAgent = Map.groupBy(notes, ({ agent, cadence }) => `${agent} (${cadence})`);
  return [
    'Not served: no enabled definition names these agents',
    ...indent(
      [...byAgent].map(([agent, entries]) => {
        const repos = entries.map(({ repo, cron }) => (cron === null ? repo : `${repo} at ${cron}`));
        return `${printable(agent)}: ${terminal.style('dim', printable(repos.join(', ')))}`;
      }),
    ),
  ];
}
