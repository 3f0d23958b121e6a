/** The operator's page: asks every few seconds, shows what came, and says when nothing did. It only reads. */
import { createAsk } from './ask.js';
import {
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
import { concernLine, concernsOf, showChecks, showGlance, showState } from './overview.js';
import { createRows } from './rows.js';
import { byNextRun, dueDetail, dueLine, trustDetail, trustLine } from './schedules.js';
import { refreshTimes, span } from './words.js';

const REFRESH_MS = 5_000;
const TRUST_MS = 60_000;

const byId = (id) => document.getElementById(id);
const { ask, useToken, forgetToken, hasToken } = createAsk();

const seen = { readiness: null, overview: null, fault: null, at: null };
/** How far this machine's clock is behind the service's. */
let behindMs = 0;
const now = () => Date.now() + behindMs;

const temporalUi = () => seen.overview?.temporal_ui ?? { url: null, namespace: 'default' };
const explain = createExplain({ ask, temporalUi });
const wholeRun = async ({ run_id }) => runDetail(await ask(`/api/v1/runs/${run_id}`), temporalUi());
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
  summary: runLine(now),
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
    element('code', {}, 'npx activity-core definitions list'),
  ],
});
const trust = rowsOf('trust', {
  keyOf: ({ definition_id }) => definition_id,
  summary: trustLine,
  detail: trustDetail,
  empty: () => 'No enabled definition has a schedule: only those that start by the clock gather evidence.',
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
  return next?.next_run
    ? `Nothing. Next due is ${next.definition_id} at ${next.next_run.slice(11, 16)} UTC.`
    : 'Nothing.';
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
    for (const rows of [failed, runs, due, trust, refused, pending, ticks]) rows.show([]);
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
      : `As of ${new Date(seenAt).toISOString().slice(11, 19)} UTC, ${span(Math.max(0, now() - seenAt))} ago`;
  const place = byId('seen');
  const isWaiting = fault?.code === 'unauthorized';
  place.classList.toggle('fault', fault !== null && !isWaiting);
  if (isWaiting) say(place, `${last}. A token is needed.`);
  else
    say(
      place,
      fault === null
        ? `${last}.`
        : `${last}. Refresh failed ${fault.at}: ${fault.message} (${fault.code}). Trying again.`,
    );
  refreshTimes(document.body, now());
}

async function refresh() {
  const withToken = hasToken();
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
  if (failure === null) seen.fault = null;
  else
    seen.fault = {
      code: failure.code,
      message: failure.message,
      at: new Date(now()).toISOString().slice(11, 19),
      cause: failure,
    };
  askForToken(failure, withToken);
  show();
  tellAge();
}

/** Without a token, nothing is asked that is known to be refused. */
const wantsToken = () => seen.fault?.code === 'unauthorized' && !hasToken();

/** `withToken`: whether one was sent. One that was typed in meanwhile has not been refused. */
function askForToken(failure, withToken) {
  const form = byId('token-form');
  if (failure?.code !== 'unauthorized' || (hasToken() && !withToken)) {
    if (form.contains(document.activeElement)) byId('attention').focus();
    form.hidden = true;
    return;
  }
  if (withToken) {
    forgetToken();
    say(byId('token-why'), `The service refused that token: ${failure.message}.`);
  }
  if (!form.hidden) return;
  form.hidden = false;
  byId('token').focus();
}

let trustAt = Number.NEGATIVE_INFINITY;
let isReadingTrust = false;

/** One after the other and seldom: each looks at Temporal's, State Hub's and the notes' evidence again. */
async function refreshTrust() {
  if (!seen.overview || seen.fault || isReadingTrust || Date.now() - trustAt < TRUST_MS) return;
  isReadingTrust = true;
  const found = [];
  for (const { definition_id } of byNextRun(seen.overview.definitions)) {
    try {
      found.push(await ask(`/api/v1/trust/${definition_id}`));
    } catch (error) {
      found.push({
        definition_id,
        trusted: false,
        clean_streak: 0,
        required: 3,
        ticks: [],
        feedback: null,
        reason: `it could not be read: ${error.message}`,
      });
    }
    if (document.hidden) break;
  }
  isReadingTrust = false;
  // Left off half way: all of it when somebody looks again.
  if (document.hidden) return;
  trustAt = Date.now();
  trust.show(found);
}

let timer = null;
let isAsking = false;

async function loop() {
  clearTimeout(timer);
  if (isAsking) return;
  isAsking = true;
  try {
    await refresh();
  } finally {
    isAsking = false;
  }
  if (document.hidden) return;
  timer = setTimeout(loop, REFRESH_MS);
  // Not waited for: a State Hub that hangs holds up nothing but what it is asked for.
  void refreshTrust();
}

// A page that nobody sees asks for nothing, and looks at once when it is seen again.
document.addEventListener('visibilitychange', () => {
  clearTimeout(timer);
  if (!document.hidden) void loop();
});
setInterval(() => document.hidden || tellAge(), 1_000);

byId('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = byId('token');
  const text = field.value.trim();
  field.value = '';
  try {
    useToken(text);
  } catch (error) {
    say(byId('token-why'), error.message);
    return;
  }
  void loop().then(explain.follow);
});

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

void loop().then(explain.follow);
