/** What is known of each definition that starts by the clock. Read seldom and one after the other: each answer looks at all evidence again. */
import { byNextRun } from './schedules.js';
import { clock } from './words.js';

const TRUST_MS = 60_000;

/** `rows`: where it is shown, each as it comes. `definitions()`: as the overview says them. */
export function createTrust({ ask, rows, definitions, now }) {
  const known = new Map();
  let readAt = Number.NEGATIVE_INFINITY;
  let isReading = false;

  async function refresh() {
    if (isReading || Date.now() - readAt < TRUST_MS) return;
    isReading = true;
    try {
      if (await readEach()) readAt = Date.now();
    } finally {
      isReading = false;
    }
  }

  /** False where it was left off: all of it when somebody looks again, or when the token is taken. */
  async function readEach() {
    for (const { definition_id } of byNextRun(definitions())) {
      if (document.hidden) return false;
      try {
        known.set(definition_id, await ask(`/api/v1/trust/${definition_id}`));
      } catch (error) {
        if (error.code === 'unauthorized') return false;
        known.set(definition_id, {
          ...(known.get(definition_id) ?? neverRead(definition_id)),
          ...failed(error),
        });
      }
      show();
    }
    show();
    return true;
  }

  const failed = ({ message }) => ({
    unread: `it could not be read at ${clock(now(), now())} UTC: ${message}`,
  });

  function show() {
    rows.show(byNextRun(definitions()).flatMap(({ definition_id }) => known.get(definition_id) ?? []));
  }

  rows.show([]);
  return { refresh };
}

const neverRead = (definition_id) => ({
  definition_id,
  trusted: null,
  reason: '',
  ticks: [],
  feedback: null,
});
