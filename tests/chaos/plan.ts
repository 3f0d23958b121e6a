/**
 * What a seed does, and when: pure, so that a seed repeats it.
 *
 * Glossary
 *   act     one thing that is done to a subject
 *   subject what is attacked: a server, a replica of the service, issue-core
 *   card    a kind of act; each seed plays every card at least once
 */
import { createDice, type Fault, PASSING_FAULTS } from '../../src/dev/stand-ins/issue-core-faults.ts';

export const SERVERS = ['nats', 'temporal', 'postgres'] as const;
export const REPLICAS = ['replica-1', 'replica-2'] as const;
export type Process = (typeof SERVERS)[number] | (typeof REPLICAS)[number];
export type Subject = Process | 'issue-core';

/** `rate`: how often a request is struck, 0 to 1. */
export interface Misbehaviour {
  faults: Fault[];
  rate: number;
  dice_seed: number;
}

/** `for_ms`: until it is undone. `dice_seed`: of what is chosen only when it is done. */
export type Act =
  | { kind: 'kill' | 'freeze'; processes: Process[]; for_ms: number }
  | { kind: 'hold_table'; table: string; for_ms: number }
  | { kind: 'fill_connections'; for_ms: number }
  | { kind: 'delete_consumer' }
  | { kind: 'terminate' | 'reset'; workflows: number; dice_seed: number }
  | ({ kind: 'issue_core_fails'; for_ms: number } & Misbehaviour);
export type PlannedAct = Act & { at_ms: number };

/** `resend`: the same event once more, as another message. */
export type PlannedMessage = { at_ms: number; kind: 'event' | 'resend' | 'malformed'; n: number };

export interface Plan {
  seed: number;
  /** What issue-core is like all the while; acts make it worse. */
  issue_core: Misbehaviour;
  acts: PlannedAct[];
  messages: PlannedMessage[];
}

const TABLES = [
  'event_ids',
  'events',
  'dispatches',
  'activity_runs',
  'task_spawn_log',
  'schedule_ticks',
  'registry_version',
];
const BURST_EVERY_MS = 100;
const LARGEST_BURST = 4;
const ONE_ACT_EACH_MS = 1_200;
/** Undoing takes time, and the later acts come later for it: they are to find work too. */
const PUBLISHED_LONGER = 1.4;

type Dice = ReturnType<typeof createDice>;
type Card = (dice: Dice) => Act;

const between = (dice: Dice, low: number, high: number) => low + Math.floor(dice() * (high - low + 1));
const pick = <T>(dice: Dice, from: readonly T[]): T => from[Math.floor(dice() * from.length)] as T;

function shuffled<T>(dice: Dice, from: readonly T[]): T[] {
  return from
    .map((value) => ({ value, place: dice() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ value }) => value);
}

const downFor = (dice: Dice) => between(dice, 0, 4_000);
/** Now and then longer than leases, heartbeats and `ack_wait` last. */
const frozenFor = (dice: Dice) => (dice() < 0.2 ? between(dice, 16_000, 20_000) : between(dice, 300, 5_000));
const together = (dice: Dice): Process[] =>
  shuffled(dice, [...SERVERS, ...REPLICAS]).slice(0, between(dice, 2, 5));

const kill =
  (processes: (dice: Dice) => Process[]): Card =>
  (dice) => ({ kind: 'kill', processes: processes(dice), for_ms: downFor(dice) });
const freeze =
  (processes: (dice: Dice) => Process[]): Card =>
  (dice) => ({ kind: 'freeze', processes: processes(dice), for_ms: frozenFor(dice) });
const operate =
  (kind: 'terminate' | 'reset'): Card =>
  (dice) => ({ kind, workflows: between(dice, 1, 4), dice_seed: between(dice, 1, 1_000_000) });
const holdTable: Card = (dice) => ({
  kind: 'hold_table',
  table: pick(dice, TABLES),
  for_ms: between(dice, 500, 4_000),
});
const failIssueCore: Card = (dice) => ({
  kind: 'issue_core_fails',
  faults: shuffled(dice, PASSING_FAULTS).slice(0, between(dice, 1, PASSING_FAULTS.length)),
  rate: between(dice, 3, 10) / 10,
  dice_seed: between(dice, 1, 1_000_000),
  for_ms: between(dice, 2_000, 6_000),
});

const CARDS: Card[] = [
  kill((dice) => [pick(dice, REPLICAS)]),
  kill((dice) => [pick(dice, REPLICAS)]),
  kill(() => ['nats']),
  kill(() => ['temporal']),
  kill(() => ['postgres']),
  kill(together),
  freeze((dice) => [pick(dice, REPLICAS)]),
  freeze((dice) => [pick(dice, SERVERS)]),
  holdTable,
  holdTable,
  (dice) => ({ kind: 'fill_connections', for_ms: between(dice, 500, 4_000) }),
  () => ({ kind: 'delete_consumer' }),
  operate('terminate'),
  operate('terminate'),
  operate('reset'),
  failIssueCore,
  failIssueCore,
];

/** `seconds`: within which the acts begin, where none has to wait for another. */
export function planOf(seed: number, seconds: number): Plan {
  const span = seconds * 1_000;
  const dice = createDice(seed);
  const messages = planMessages(dice, span * PUBLISHED_LONGER);
  const issue_core = { faults: [...PASSING_FAULTS], rate: 0.2, dice_seed: between(dice, 1, 1_000_000) };
  return { seed, issue_core, acts: planActs(dice, span), messages };
}

function planMessages(dice: Dice, span: number): PlannedMessage[] {
  const messages: PlannedMessage[] = [];
  let events = 0;
  let malformed = 0;
  for (let at_ms = 0; at_ms < span; at_ms += BURST_EVERY_MS) {
    for (let burst = between(dice, 0, LARGEST_BURST); burst > 0; burst -= 1) {
      messages.push({ at_ms, kind: 'event', n: events });
      events += 1;
    }
    if (events > 0 && dice() < 0.2) messages.push({ at_ms, kind: 'resend', n: between(dice, 0, events - 1) });
    if (dice() < 0.05) {
      messages.push({ at_ms, kind: 'malformed', n: malformed });
      malformed += 1;
    }
  }
  return messages;
}

function planActs(dice: Dice, span: number): PlannedAct[] {
  const more = Math.max(0, Math.floor(span / ONE_ACT_EACH_MS) - CARDS.length);
  const hand = shuffled(dice, [...CARDS, ...Array.from({ length: more }, () => pick(dice, CARDS))]);
  const gap = span / (hand.length + 1);
  return hand.map((card, place) => ({
    ...card(dice),
    at_ms: Math.round(gap * (place + 0.5 + dice())),
  }));
}
