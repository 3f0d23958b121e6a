/** The panel above everything: one event explained, or one run, as the address after `#` says. */
import { refusedDetail, runDetail, valuesRead } from './details.js';
import { code, element, facts, folded, json, replace } from './element.js';
import { asOf, badge } from './words.js';

/** `ask`: GET of the API. `temporalUi()`: as the overview says it. `now()`: the service's clock. */
export function createExplain({ ask, temporalUi, now }) {
  const panel = document.getElementById('found');
  const title = document.getElementById('found-title');
  const body = document.getElementById('found-body');
  let wanted = null;
  let cameFrom = null;

  async function open(kind, id, takesFocus) {
    const mine = `${kind} ${id}`;
    wanted = mine;
    if (!panel.contains(document.activeElement)) cameFrom = document.activeElement;
    panel.hidden = false;
    title.textContent = `${kind === 'event' ? 'Event' : 'Run'} ${id}`;
    replace(body, element('p', { class: 'quiet' }, 'Looking…'));
    // At once: when the answer comes, somebody may be in another place.
    if (takesFocus) {
      panel.focus();
      panel.scrollIntoView({ block: 'start' });
    }
    const content = await contentOf(kind, id);
    // Asked for something else meanwhile.
    if (wanted !== mine) return;
    replace(body, content, asOf(now()));
  }

  async function contentOf(kind, id) {
    try {
      if (kind === 'run') return runDetail(await ask(`/api/v1/runs/${encodeURIComponent(id)}`), temporalUi());
      return await eventOrRefusals(id);
    } catch (error) {
      return faultDetail(error);
    }
  }

  async function eventOrRefusals(id) {
    try {
      return eventDetail(await ask(`/api/v1/events/${encodeURIComponent(id)}`));
    } catch (error) {
      if (error.code !== 'not_found') throw error;
      const { items } = await ask(`/api/v1/quarantine?event_id=${encodeURIComponent(id)}&limit=3`);
      if (items.length === 0) throw error;
      return refusalsDetail(items);
    }
  }

  function close() {
    if (panel.hidden) return;
    wanted = null;
    panel.hidden = true;
    replace(body);
    if (location.hash !== '') history.replaceState(null, '', location.pathname);
    if (cameFrom?.isConnected) cameFrom.focus();
  }

  /** The address names what is shown, so that back and forward work; it never holds a token. */
  function follow({ takesFocus = true } = {}) {
    if (location.hash === '') return close();
    const [, kind, id] = /^#(event|run)=(.+)$/.exec(location.hash) ?? [];
    if (kind) void open(kind, decoded(id), takesFocus);
  }

  window.addEventListener('hashchange', () => follow());
  document.getElementById('found-close').addEventListener('click', close);
  return { follow, close };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    return text;
  }
}

function eventDetail(event) {
  const { decisions, envelope, fate } = event;
  return [
    facts([
      ['fate', badge(fate, fate === 'accepted' ? 'good' : 'quiet')],
      ['id', code(event.id)],
      ['source', event.source],
      ['type', event.type],
      ['event_uid', code(event.event_uid)],
      ['time', event.time],
      ['received', event.received_at],
      ['came again', event.duplicates > 0 ? `${event.duplicates} times, never run again` : 'never'],
    ]),
    element('h3', {}, 'What each definition decided'),
    decisions.length === 0
      ? element('p', { class: 'quiet' }, 'No enabled definition was triggered by this type when it came.')
      : element('ul', { class: 'items' }, decisions.map(decisionItem)),
    folded('the envelope', json(envelope)),
  ];
}

const decisionItem = ({ definition_id, outcome, reason, values, run_id, run_status }) =>
  element(
    'li',
    {},
    outcome === 'fired' && run_status === 'failed'
      ? [badge(outcome, 'quiet'), ' ', badge('run failed', 'bad')]
      : badge(outcome),
    ' ',
    element('strong', {}, definition_id),
    reason ? element('p', {}, reason) : null,
    valuesRead(values),
    run_id ? element('p', {}, element('a', { href: `#run=${run_id}` }, `run ${run_id}`)) : null,
  );

/** Newest first. */
const refusalsDetail = (messages) => [
  element(
    'p',
    { class: 'fault' },
    badge('refused'),
    ' No event with this id was accepted. What came is in quarantine:',
  ),
  messages.map(refusedDetail),
];

/** An id that several sources have leads on to each of them. */
function faultDetail({ code: what, message, body }) {
  if (what === 'ambiguous_id')
    return [
      element('p', {}, 'Several sources have this id. Which one?'),
      element(
        'ul',
        { class: 'items' },
        (body.event_uids ?? []).map((uid) => element('li', {}, element('a', { href: `#event=${uid}` }, uid))),
      ),
    ];
  return [
    element('p', { class: 'fault' }, code(what), ' ', message),
    what === 'not_found'
      ? element(
          'p',
          {},
          'A message that was refused never became an event; one whose id could not be read is under ',
          element('a', { href: '#refused' }, 'Refused'),
          '. What is older than the retention is gone.',
        )
      : null,
  ];
}
