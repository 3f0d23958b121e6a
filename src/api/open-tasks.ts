/** What issue-core has open for some dedupe keys. It is only asked: that proves endpoint and credentials, and creates nothing. */
import type { Sink } from '../sinks/sink.ts';

export interface OpenTasks {
  /** Whether it is configured and answers. */
  check: { ok: boolean; message: string };
  /** Null where it was not asked, or gave no answer. */
  openOf(dedupeKey: string | null): { ref: string }[] | null;
}

const MAX_KEYS = 20;
const ASKED_AT_ONCE = 5;
/** Where no spec has a key, the question is asked all the same. */
const PROBE_KEY = 'activity-core:probe';

export async function askOpenTasks(
  issueCore: Sink | null,
  dedupeKeys: readonly (string | null)[],
): Promise<OpenTasks> {
  const found = new Map<string, { ref: string }[]>();
  const openOf = (key: string | null) => (key === null ? null : (found.get(key) ?? null));
  if (!issueCore) return { check: { ok: false, message: 'ISSUE_CORE_URL is not set' }, openOf };
  const keys = new Set(dedupeKeys.filter((key) => key !== null));
  const [first = PROBE_KEY, ...others] = [...keys].slice(0, MAX_KEYS);
  let fault = await ask(issueCore, first, found);
  // Alone first: where the door is shut, it is knocked at once.
  for (let at = 0; fault === null && at < others.length; at += ASKED_AT_ONCE) {
    const some = others.slice(at, at + ASKED_AT_ONCE);
    const faults = await Promise.all(some.map((key) => ask(issueCore, key, found)));
    fault = faults.find((message) => message !== null) ?? null;
  }
  if (fault !== null) return { check: { ok: false, message: fault }, openOf };
  return { check: { ok: true, message: 'it answers, and takes our token' }, openOf };
}

/** Null where it answered. */
async function ask(
  issueCore: Sink,
  key: string,
  found: Map<string, { ref: string }[]>,
): Promise<string | null> {
  const answer = await issueCore.findOpen(key);
  if ('fault' in answer) return `${answer.fault.request}: ${answer.fault.message}`;
  found.set(
    key,
    answer.refs.map((ref) => ({ ref })),
  );
  return null;
}
