/** What a row of runs, refused messages or waiting specs opens to. */
import { code, element, facts, folded, json } from './element.js';
import { at, badge, bytes, commandLine, distance, many, span, triggerOf } from './words.js';

export const runLine = (now) => (run) => lineOf(run, at(run.started_at, now()));

/** By its end, which is when somebody could know. */
export const failedLine = (now) => (run) =>
  lineOf(
    run,
    at(run.finished_at ?? run.started_at, now()),
    run.mended_by ? badge('mended by a retry', 'good') : null,
  );

const lineOf = (run, time, ...signs) => [
  time,
  badge(run.status),
  ...signs,
  element('strong', {}, run.definition_id),
  element(
    'span',
    { class: 'rest' },
    run.task_count > 0 ? `${many(run.task_count, 'task')} · ` : '',
    run.sink_mode === 'live' ? 'live · ' : '',
    triggerOf(run),
  ),
  run.error ? element('span', { class: 'why' }, code(run.error.code), ' ', run.error.message) : null,
];

/** `temporalUi`: as the overview says it. `mendedBy`: the retry that completed, where one is known. */
export function runDetail(run, temporalUi, mendedBy = null) {
  const { trigger, error, rules, tasks, instructions, reports, reviews, feedback, context } = run;
  const took = run.finished_at ? Date.parse(run.finished_at) - Date.parse(run.started_at) : null;
  return [
    error ? element('p', { class: 'fault' }, code(error.code), ' ', error.message) : null,
    error && Object.keys(error.details).length > 0
      ? folded('what is known of it', json(error.details))
      : null,
    facts([
      ['run', code(run.run_id)],
      ['trigger', triggerOf(run)],
      [
        'event',
        trigger.event_uid
          ? element('a', { href: `#event=${trigger.event_uid}` }, `explain ${trigger.event_id}`)
          : trigger.event_id,
      ],
      ['retry of', run.retry_of ? element('a', { href: `#run=${run.retry_of}` }, run.retry_of) : null],
      ['mended by', mendedBy ? element('a', { href: `#run=${mendedBy}` }, mendedBy) : null],
      ['started', run.started_at],
      ['took', took === null ? null : took < 1000 ? `${took} ms` : span(took)],
      ['sink', `${run.sink_mode}${run.sink_reason ? `: ${run.sink_reason}` : ''}`],
      ['revision', code(run.definition_hash.slice(0, 12))],
      ['Temporal', run.temporal ? temporalLink(run.temporal, temporalUi) : 'no workflow'],
    ]),
    section('Rules', rules.map(ruleItem), 'No rule was evaluated.'),
    section('Task specs', tasks.map(taskItem), 'It made none.'),
    section('Instructions', instructions.map(instructionItem)),
    section('Reports', reports.map(reportItem)),
    section('Reviews and feedback', [...reviews, ...feedback].map(verdictItem)),
    context ? folded('What it saw', json(context)) : null,
    run.status === 'failed' && !mendedBy
      ? command('After the fault is mended', `runs retry ${run.run_id}`)
      : null,
  ];
}

export function temporalLink({ workflow_id, run_id }, { url, namespace }) {
  if (!url) return code(workflow_id);
  const workflow = `${url}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflow_id)}`;
  const href = run_id ? `${workflow}/${encodeURIComponent(run_id)}/history` : workflow;
  return element('a', { href, target: '_blank', rel: 'noopener noreferrer' }, `${workflow_id} ↗`);
}

const section = (title, items, none = null) =>
  items.length === 0 && none === null
    ? null
    : [
        element('h3', {}, title),
        items.length === 0
          ? element('p', { class: 'quiet' }, none)
          : element('ul', { class: 'items' }, items),
      ];

const command = (when, words) => element('p', { class: 'command' }, `${when}: `, code(commandLine(words)));

function ruleItem({ rule_id, item, as, expression, values, result }) {
  const came = result === null ? badge('failed') : result ? badge('yes') : badge('no', 'quiet');
  return element(
    'li',
    {},
    came,
    ' ',
    element('strong', {}, rule_id),
    item === undefined ? null : folded(as ?? 'item', json(item)),
    element('p', {}, code(expression)),
    valuesRead(values),
  );
}

/** What stands for a value that was not there. */
const MISSING = '(missing)';

export function valuesRead(values) {
  const read = Object.entries(values ?? {});
  if (read.length === 0) return element('p', { class: 'quiet' }, 'It read no values.');
  return facts(
    read.map(([name, value]) => [
      name,
      value === MISSING ? element('em', {}, 'missing') : code(JSON.stringify(value)),
    ]),
  );
}

function taskItem({ spec, status, rule_id, dedupe_key, task_ref, attempts, last_error, idempotency_key }) {
  return element(
    'li',
    {},
    badge(status),
    ' ',
    element('strong', {}, spec.title),
    facts([
      ['rule', rule_id],
      ['repository', spec.target_repo],
      ['priority', spec.priority],
      ['labels', spec.labels?.join(', ')],
      ['reference', task_ref],
      ['dedupe key', dedupe_key],
      ['attempts', attempts > 0 ? attempts : null],
      ['key', code(idempotency_key.slice(0, 12))],
    ]),
    last_error ? json(last_error) : null,
    spec.description ? folded('description', element('p', { class: 'description' }, spec.description)) : null,
  );
}

function instructionItem({ instruction_id, status, review_required, reused, answers, output }) {
  const fault = answers.findLast(({ accepted }) => !accepted);
  return element(
    'li',
    {},
    badge(status),
    ' ',
    element('strong', {}, instruction_id),
    ` ${many(answers.length, 'answer')}${reused ? ', reused' : ''}${review_required ? ', review required' : ''}`,
    status !== 'answered' && fault
      ? element(
          'p',
          { class: 'fault' },
          fault.fault ?? fault.violations.map(({ pointer, message }) => `${pointer} ${message}`).join('; '),
        )
      : null,
    output === null ? null : folded('output', json(output)),
  );
}

const reportItem = ({ sink, status, attempts, error, filed }) =>
  element(
    'li',
    {},
    badge(status),
    ' ',
    element('strong', {}, sink),
    facts([
      ['attempts', attempts],
      ['error', error],
      ['filed as', filed ? code(filed.progress_id ?? filed.file ?? '') : null],
    ]),
  );

const verdictItem = ({ verdict, reviewer, note }) =>
  element(
    'li',
    {},
    element('strong', {}, verdict),
    reviewer ? ` by ${reviewer}` : ' (feedback)',
    note ? `: ${note}` : '',
  );

export const refusedLine =
  (now) =>
  ({ received_at, event_id, reason, subject, violations, violation_count }) => [
    at(received_at, now()),
    badge(reason, 'warn'),
    event_id === null ? null : element('strong', {}, event_id),
    element('span', { class: 'rest' }, subject),
    violations.length > 0
      ? element(
          'span',
          { class: 'why' },
          violations.map(({ pointer, message }) => `${pointer} ${message}`).join('; '),
          violation_count > violations.length ? ` and ${violation_count - violations.length} more` : '',
        )
      : null,
  ];

const LONGEST_MESSAGE = 8_000;

export function refusedDetail(message) {
  const { id, event_id, received_at, subject, headers, reason, violations, size, bytes_base64, state } =
    message;
  const text = decoded(bytes_base64);
  return [
    facts([
      ['id', code(id)],
      ['event', event_id === null ? null : code(event_id)],
      ['received', received_at],
      ['subject', subject],
      ['state', state],
      ['size', bytes(size)],
      ['reason', code(reason)],
    ]),
    section(
      'What is wrong',
      violations.map(({ pointer, message: what }) => element('li', {}, code(pointer || '/'), ` ${what}`)),
    ),
    Object.keys(headers).length > 0 ? folded('headers', json(headers)) : null,
    element('h3', {}, 'The message'),
    element(
      'pre',
      { tabindex: '0' },
      text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE)}\n… cut here` : text,
    ),
    state === 'open'
      ? command('After the registry or the publisher is mended', `quarantine redrive ${id} --dry-run`)
      : null,
  ];
}

/** As UTF-8, with a sign for what is none. */
const decoded = (base64) =>
  new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)));

export const pendingLine =
  (now) =>
  ({ title, definition_id, created_at, run_status }) => [
    at(created_at, now()),
    run_status === 'running' ? badge('pending') : badge('stopped', 'bad'),
    element('strong', {}, title),
    element('span', { class: 'rest' }, `${definition_id} · `, distance(created_at, now())),
  ];

export const pendingDetail = ({ run_id, run_status, rule_id, attempts, last_error, idempotency_key }) => [
  facts([
    ['run', element('a', { href: `#run=${run_id}` }, `${run_id} (${run_status})`)],
    ['rule', rule_id],
    ['attempts', attempts],
    ['key', code(idempotency_key.slice(0, 12))],
  ]),
  last_error ? json(last_error) : null,
  run_status === 'running' ? null : command('It is sent only when asked for', `tasks resume --run ${run_id}`),
];

export const tickLine =
  (now) =>
  ({ scheduled_for, definition_id, outcome, reason, run_id }) => [
    at(scheduled_for, now()),
    badge(outcome),
    element('strong', {}, run_id ? element('a', { href: `#run=${run_id}` }, definition_id) : definition_id),
    reason ? element('span', { class: 'why' }, reason) : null,
  ];
