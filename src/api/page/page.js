/** The operator's page: asks every few seconds, shows what came, and says when nothing did. It only reads. */
import { createAsk } from './ask.js';
import { concernsOf } from './concerns.js';
import {
  failedLine,
  pendingDetail,
  pendingLine,
  refusedDetail,
  refusedLine,
  runDetail,
  runLine,
  tickLine,
} from './details.js';
import { element, say } from './element.js';
import { createExplain } from './explain.js';
import { listenToKeys } from './keys.js';
import { concernLine, showChecks, showGlance, showState } from './overview.js';
import { createRows } from './rows.js';
import { byNextRun, dueDetail, dueLine, trustDetail, trustLine } from './schedules.js';
import { createTokenForm } from './token.js';
import { createTrust } from './trust.js';
import { asOf, at, clock, commandLine, distance, refreshTimes, span } from './words.js';

const REFRESH_MS = 5_000;

const byId = (id) => document.getElementById(id);
const { ask, useToken, forgetToken, tokenInUse } = createAsk();

const seen = { readiness: null, overview: null, fault: null, at: null };
/** How far this machine's clock is behind the service's. */
let behindMs = 0;
const now = () => Date.now() + behindMs;

const temporalUi = () => seen.overview?.temporal_ui ?? { url: null, namespace: 'default' };
const explain = createExplain({ ask, temporalUi, now });
const wholeRun = async ({ run_id, mended_by }) => {
  const run = await ask(`/api/v1/runs/${run_id}`);
  return [runDetail(run, temporalUi(), mended_by), asOf(now())];
};
const rowsOf = (id, options) =>
  createRows(byId(id).querySelector('.rows'), {
    ...options,
    empty: () => (seen.overview ? options.empty() : 'Not seen yet.'),
  });

const attention = rowsOf('attention', {
  keyOf: ({ key }) => key,
  summary: concernLine,
  empty: nothingToDo,
});
const failed = rowsOf('failed', {
  keyOf: ({ run_id }) => run_id,
  summary: failedLine(now),
  detail: wholeRun,
  empty: () => 'No run on record has failed.',
});
const runs = rowsOf('runs', {
  keyOf: ({ run_id }) => run_id,
  summary: runLine(now),
  detail: wholeRun,
  empty: () => [
    'Nothing has run yet. Publish an event: ',
    element('code', {}, 'npx activity-core publish FILE'),
  ],
});
const due = rowsOf('due', {
  keyOf: ({ definition_id }) => definition_id,
  summary: dueLine(now),
  detail: dueDetail,
  empty: () => [
    'No enabled definition has a schedule. What is applied: ',
    element('code', {}, commandLine('definitions list')),
  ],
});
const trust = createTrust({
  ask,
  now,
  definitions: () => seen.overview.definitions,
  rows: rowsOf('trust', {
    keyOf: ({ definition_id }) => definition_id,
    summary: trustLine,
    detail: trustDetail,
    empty: () => 'No enabled definition has a schedule: only those that start by the clock gather evidence.',
  }),
});
const refused = rowsOf('refused', {
  keyOf: ({ id }) => id,
  summary: refusedLine(now),
  detail: async ({ id }) => refusedDetail(await ask(`/api/v1/quarantine/${id}`)),
  empty: () => 'Nothing is in quarantine. What is refused appears here with its reason.',
});
const pending = rowsOf('pending', {
  keyOf: ({ idempotency_key }) => idempotency_key,
  summary: pendingLine(now),
  detail: pendingDetail,
  empty: () => 'Nothing waits. Specs of audit runs are on record and are never sent.',
});
const ticks = rowsOf('ticks', {
  keyOf: ({ definition_id, scheduled_for }) => `${definition_id} ${scheduled_for}`,
  summary: tickLine(now),
  empty: () => 'Every tick on record ran, or was paused.',
});

function nothingToDo() {
  const [next] = byNextRun(seen.overview.definitions);
  if (!next?.next_run) return 'Nothing.';
  const time = at(next.next_run, now());
  return [
    `Nothing. Next due is ${next.definition_id} at `,
    time,
    ' UTC, ',
    distance(next.next_run, now()),
    '.',
  ];
}

function show() {
  const { readiness, overview, fault } = seen;
  const concerns = concernsOf({ readiness, overview, now: now() });
  showChecks(byId('checks'), readiness);
  showState(byId('state'), { readiness, concerns, fault });
  // Of a service that waits for its token there is nothing to show.
  byId('columns').hidden = !overview && fault?.code === 'unauthorized';
  attention.show(concerns);
  if (!overview) {
    for (const rows of [failed, runs, due, refused, pending, ticks]) rows.show([]);
    return;
  }
  showGlance(byId('glance'), overview, now());
  failed.show(overview.failed_runs);
  runs.show(overview.runs);
  due.show(byNextRun(overview.definitions));
  refused.show(overview.refused);
  pending.show(overview.pending_tasks);
  ticks.show(overview.ticks_not_run);
  say(byId('version'), `activity-core ${overview.version}, ${overview.definition_count} definitions`);
}

/** When it was seen, and why not since. */
function tellAge() {
  const { at: seenAt, fault } = seen;
  const last =
    seenAt === null
      ? 'Nothing was seen yet'
      : `As of ${clock(seenAt, now())} UTC, ${span(Math.max(0, now() - seenAt))} ago`;
  const place = byId('seen');
  const isWaiting = fault?.code === 'unauthorized';
  place.classList.toggle('fault', fault !== null && !isWaiting);
  if (isWaiting) say(place, `${last}. A token is needed.`);
  else
    say(
      place,
      fault === null
        ? `${last}.`
        : `${last}. Refresh has failed since ${clock(fault.since, now())}: ${fault.message} (${fault.code}). Trying again.`,
    );
  refreshTimes(document.body, now());
}

async function refresh() {
  const sent = tokenInUse();
  const readiness = ask('/readyz', { accepts: [503] });
  const overview = wantsToken() ? Promise.reject(seen.fault.cause) : ask('/api/v1/overview');
  const [ready, whole] = await Promise.allSettled([readiness, overview]);
  if (ready.status === 'fulfilled') seen.readiness = ready.value;
  const failure = [whole, ready].find(({ status }) => status === 'rejected')?.reason ?? null;
  if (whole.status === 'fulfilled') {
    seen.overview = whole.value;
    seen.at = Date.parse(whole.value.as_of);
    behindMs = seen.at - Date.now();
  }
  seen.fault = failure && faultOf(failure);
  show();
  tellAge();
  // After what was hidden is shown: the focus goes there from the form.
  if (failure?.code === 'unauthorized') askForToken(failure, sent);
  else if (whole.status === 'fulfilled') tokenForm.hide();
  followOnce();
}

/** Since the first of those that failed in a row. */
function faultOf(cause) {
  const before = seen.fault?.code === 'unauthorized' ? null : seen.fault;
  return { code: cause.code, message: cause.message, since: before?.since ?? now(), cause };
}

/** Without a token, nothing is asked that is known to be refused. */
const wantsToken = () => seen.fault?.code === 'unauthorized' && tokenInUse() === 0;

const tokenForm = createTokenForm({ useToken, onToken: () => void loop() });

/** `sent`: the token that was, 0 where none was. One that was typed in meanwhile has not been refused. */
function askForToken({ message }, sent) {
  if (tokenInUse() !== sent) return;
  if (sent !== 0) {
    forgetToken();
    tokenForm.tell(`The service refused that token: ${message}.`);
  }
  tokenForm.show();
}

let isFollowed = false;

/** What the address names, as soon as it can be asked for; also anew, after a token was missing. */
function followOnce() {
  if (seen.fault?.code === 'unauthorized') isFollowed = false;
  if (seen.fault || isFollowed) return;
  isFollowed = true;
  explain.follow({ takesFocus: !document.activeElement?.matches('input') });
}

let timer = null;
let isAsking = false;
let isWantedAgain = false;

async function loop() {
  clearTimeout(timer);
  if (isAsking) {
    isWantedAgain = true;
    return;
  }
  isAsking = true;
  try {
    do {
      isWantedAgain = false;
      await refresh();
    } while (isWantedAgain);
  } finally {
    isAsking = false;
  }
  if (document.hidden) return;
  timer = setTimeout(loop, REFRESH_MS);
  // Not waited for: a State Hub that hangs holds up nothing but what it is asked for.
  if (seen.overview && !seen.fault) void trust.refresh();
}

// A page that nobody sees asks for nothing, and looks at once when it is seen again.
document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  if (!document.hidden) void loop();
});
setInterval(() => document.hidden || tellAge(), 1_000);

byId('explain-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const wanted = byId('wanted').value.trim();
  if (wanted === '') return;
  const hash = `#event=${encodeURIComponent(wanted)}`;
  if (location.hash === hash) explain.follow();
  else location.hash = hash;
});

const help = byId('help');
byId('help-button').addEventListener('click', () => help.showModal());
byId('help-close').addEventListener('click', () => help.close());
listenToKeys({ search: byId('wanted'), openHelp: () => help.showModal(), close: explain.close });

void loop();
