/** Changes what is declared, again and again, as its owners would: in the folder, and through the API. */
import { readClock } from '../../src/store/pool.ts';
import { get, post } from '../setup/schedule-path.ts';
import { abortablePause } from './abortable-pause.ts';
import { type Declared, GUEST, MAIN, SAMPLE, writeDeclared } from './definitions.ts';
import type { SoakSubject } from './subject.ts';

export interface Change {
  what: string;
  /** PostgreSQL's clock before it was asked for and after it was answered. */
  asked: string;
  answered: string;
  declared: Declared;
  /** What decides events from then on; the guest's is null where there is none or it is disabled. */
  main_hash: string;
  guest_hash: string | null;
}

type Subject = Pick<SoakSubject, 'definitionsDir' | 'pool' | 'service'>;

interface Step {
  what: string;
  /** Null: what is declared stays, and SAMPLE is paused for a while. */
  change: ((before: Declared) => Declared) | null;
}

const guestNow = ({ guest }: Declared) => ({
  revision: guest?.revision ?? 0,
  enabled: guest?.enabled ?? true,
});

const STEPS: Step[] = [
  { what: 'another text and label', change: (before) => ({ ...before, main: before.main + 1 }) },
  {
    what: 'a definition is added',
    change: (before) => ({ ...before, guest: { revision: 0, enabled: true } }),
  },
  { what: 'another filter', change: (before) => ({ ...before, main: before.main + 1 }) },
  { what: 'a pause, and a resume', change: null },
  { what: 'the event type has one field more', change: (before) => ({ ...before, notes: before.notes + 1 }) },
  {
    what: 'the definition is disabled',
    change: (before) => ({ ...before, guest: { ...guestNow(before), enabled: false } }),
  },
  {
    what: 'it is enabled with another text',
    change: (before) => ({ ...before, guest: { revision: guestNow(before).revision + 1, enabled: true } }),
  },
  { what: 'it is removed', change: (before) => ({ ...before, guest: null }) },
];

/** How many different changes there are. */
export const KINDS_OF_CHANGE = STEPS.length;

/** Of the time between two changes. */
const PAUSED_FOR = 1 / 4;

/** Makes `first` the applied one. What was in the folder before does not matter. */
export async function declare(subject: Subject, what: string, declared: Declared): Promise<Change> {
  const asked = await readClock(subject.pool);
  await writeDeclared(subject.definitionsDir, declared);
  await post(subject.service.url, '/plan/apply');
  return changed(subject, { what, asked, declared });
}

/** Resolves when aborted, with SAMPLE resumed. `onChange` hears each as it is done. */
export async function changeDefinitions(
  subject: Subject,
  {
    first,
    everyMs,
    signal,
    onChange,
  }: { first: Change; everyMs: number; signal: AbortSignal; onChange(change: Change): void },
): Promise<void> {
  let { declared } = first;
  for (let n = 0; ; n += 1) {
    await abortablePause(everyMs, signal);
    if (signal.aborted) return;
    const { what, change } = STEPS[n % STEPS.length] ?? STEPS[0]!;
    if (change) {
      declared = change(declared);
      onChange(await declare(subject, what, declared));
    } else
      onChange(await pauseAndResume(subject, { what, declared, pausedMs: everyMs * PAUSED_FOR, signal }));
  }
}

async function pauseAndResume(
  subject: Subject,
  {
    what,
    declared,
    pausedMs,
    signal,
  }: { what: string; declared: Declared; pausedMs: number; signal: AbortSignal },
): Promise<Change> {
  const asked = await readClock(subject.pool);
  await post(subject.service.url, `/definitions/${SAMPLE}/pause`, { reason: 'soak' });
  await abortablePause(pausedMs, signal);
  await post(subject.service.url, `/definitions/${SAMPLE}/resume`, { reason: 'soak' });
  return changed(subject, { what, asked, declared });
}

async function changed(
  { pool, service }: Subject,
  { what, asked, declared }: Pick<Change, 'what' | 'asked' | 'declared'>,
): Promise<Change> {
  const answered = await readClock(pool);
  const main_hash = await hashOf(service.url, MAIN);
  const guest_hash = declared.guest?.enabled ? await hashOf(service.url, GUEST) : null;
  return { what, asked, answered, declared, main_hash, guest_hash };
}

const hashOf = async (url: string, id: string): Promise<string> =>
  (await get<{ definition_hash: string }>(url, `/definitions/${id}`)).definition_hash;
