/** What is due next, and whether what starts by the clock can be relied on. */
import { code, element, facts } from './element.js';
import { at, badge, distance, kindOf, markOf } from './words.js';

/** Schedules by time, then the others by id. */
export function byNextRun(definitions) {
  const time = ({ next_run }) => (next_run ? Date.parse(next_run) : Number.POSITIVE_INFINITY);
  return definitions
    .filter(({ trigger, enabled }) => trigger.schedule && enabled)
    .sort((a, b) => time(a) - time(b) || a.definition_id.localeCompare(b.definition_id));
}

export const dueLine =
  (now) =>
  ({ definition_id, next_run, paused, last_run, sink_mode }) => [
    next_run ? at(next_run, now()) : element('span', { class: 'time' }, '—'),
    element('strong', {}, definition_id),
    paused
      ? badge('paused')
      : next_run
        ? distance(next_run, now())
        : element('span', { class: 'distance' }, 'not due'),
    element(
      'span',
      { class: 'rest last' },
      last_run ? `last: ${markOf(kindOf(last_run.status))} ${last_run.status}` : 'never ran',
      sink_mode === 'live' ? ' · live' : '',
    ),
  ];

export function dueDetail({
  title,
  owner,
  schedule,
  pause_reason,
  problem,
  sink_mode,
  sink_reason,
  last_run,
  definition_hash,
}) {
  const policy = schedule.cron ?? `every ${schedule.every}`;
  return [
    element('p', {}, title),
    facts([
      ['owner', owner],
      [
        'schedule',
        `${policy} ${schedule.timezone}, overlap ${schedule.overlap}, catch-up ${schedule.catchup_window}`,
      ],
      ['paused', pause_reason],
      ['problem', problem],
      ['sink', `${sink_mode}${sink_reason ? `: ${sink_reason}` : ''}`],
      [
        'last run',
        last_run
          ? element('a', { href: `#run=${last_run.run_id}` }, `${last_run.status}, ${last_run.started_at}`)
          : null,
      ],
      ['revision', code(definition_hash.slice(0, 12))],
    ]),
  ];
}

/** `trusted` is null where it was never read; `unread` says why it was not read again. */
export const trustLine = ({ definition_id, trusted, clean_streak, required, ticks, unread }) => [
  trusted === null
    ? badge('not known', 'quiet')
    : badge(trusted ? 'trusted' : 'not trusted', trusted ? 'good' : 'quiet'),
  element('strong', {}, definition_id),
  element('span', { class: 'rest' }, trusted === null ? '' : streakOf(clean_streak, required)),
  element(
    'span',
    { class: 'streak' },
    ticks.slice(0, 5).map(({ state, scheduled_for }) => {
      const kind = kindOf(state);
      return element('span', { 'data-kind': kind, title: `${scheduled_for}: ${state}` }, markOf(kind));
    }),
  ),
  unread ? element('span', { class: 'why' }, unread) : null,
];

const streakOf = (clean, required) =>
  clean > required ? `${clean} clean in a row` : `${clean} of ${required} clean`;

const EVIDENCE = {
  temporal_history: 'Temporal',
  activity_run: 'run',
  state_hub_progress: 'State Hub',
  working_memory_note: 'note',
};

export const trustDetail = ({ trusted, reason, ticks, feedback, unread }) => [
  unread ? element('p', { class: 'fault' }, unread) : null,
  element('p', {}, reason),
  feedback ? element('p', { class: 'quiet' }, `feedback: ${feedback.verdict}, ${feedback.at}`) : null,
  trusted !== null && ticks.length === 0
    ? element('p', { class: 'quiet' }, 'No tick has been due since the schedule is as it is.')
    : null,
  element(
    'ul',
    { class: 'evidence' },
    ticks.map((tick) =>
      element(
        'li',
        {},
        badge(tick.state),
        ' ',
        tick.run_id ? element('a', { href: `#run=${tick.run_id}` }, tick.scheduled_for) : tick.scheduled_for,
        tick.reason ? element('p', {}, tick.reason) : null,
        facts(
          Object.entries(tick.evidence)
            .filter(([, { needed }]) => needed && tick.collected_at)
            .map(([name, { ok, detail, unchecked }]) => [
              EVIDENCE[name] ?? name,
              `${markOf(ok ? 'good' : 'bad')} ${detail}${unchecked ? ` (${unchecked})` : ''}`,
            ]),
        ),
      ),
    ),
  ),
];
