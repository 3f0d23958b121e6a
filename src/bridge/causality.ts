/**
 * Which event caused which. A loop (an event makes a task, whose work publishes an event, and so on) would go on for ever:
 * each event stands one deeper than what it names as its cause, and what stands too deep is refused.
 */
import { type Cause, readCauses } from '../store/events.ts';
import type { Queryable } from '../store/pool.ts';
import type { Candidate, Refused } from './decode.ts';

const MAX_DEPTH = 5;
const LONGEST_NAME = 80;
const CAPITAL_UUID = /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/;

/** What is known under each name. Names are read before they are asked for. */
type Causes = Map<string, Cause[]>;

export interface Causality {
  /** 0 for an event whose cause is not known; null where it is too deep to be accepted. */
  depthOf(candidate: Candidate): number | null;
  /** From here on, later events of the batch find this one. */
  accept(candidate: Candidate, depth: number): void;
  /** Of those that were too deep: with the chain, from the first event that is known. */
  refuse(tooDeep: Candidate[]): Promise<Refused[]>;
}

/** Without a `causation_id` in the batch there is nothing to ask PostgreSQL for. */
export async function readCausality(client: Queryable, candidates: Candidate[]): Promise<Causality> {
  const causes: Causes = new Map();
  await readMore(
    client,
    causes,
    candidates.flatMap((candidate) => causationOf(candidate) ?? []),
  );
  return {
    depthOf(candidate) {
      const name = causationOf(candidate);
      if (name === null) return 0;
      const depth = 1 + Math.max(-1, ...find(causes, name).map((cause) => cause.depth));
      return depth > MAX_DEPTH ? null : depth;
    },
    accept({ event_uid, envelope: { id, type, causation_id } }, depth) {
      if (causes.size === 0) return;
      const cause = { depth, event_uid, id, type, causation_id, task: null };
      for (const name of [id, event_uid]) causes.get(name)?.push(cause);
    },
    async refuse(tooDeep) {
      const chains = await readChains(client, causes, tooDeep);
      return tooDeep.map((candidate, index) => loopOf(candidate, chains[index] ?? []));
    },
  };
}

/** An event that names itself, as the first of a conversation often does, names no cause. */
function causationOf({ event_uid, envelope: { id, causation_id } }: Candidate): string | null {
  if (!causation_id || causation_id === id || causation_id.toLowerCase() === event_uid) return null;
  return causation_id;
}

/** An `event_uid` may be written in capitals; an id is taken as it is. */
function spellings(name: string): string[] {
  return CAPITAL_UUID.test(name) ? [name, name.toLowerCase()] : [name];
}

function find(causes: Causes, name: string): Cause[] {
  return spellings(name).flatMap((spelling) => causes.get(spelling) ?? []);
}

async function readMore(client: Queryable, causes: Causes, names: string[]): Promise<void> {
  const unread = new Set(names.flatMap(spellings).filter((name) => !causes.has(name)));
  if (unread.size === 0) return;
  for (const [name, found] of await readCauses(client, [...unread])) causes.set(name, found);
}

/** One statement a step for all chains, since they have the same length. */
async function readChains(client: Queryable, causes: Causes, tooDeep: Candidate[]): Promise<Cause[][]> {
  const chains = tooDeep.map(({ envelope }) => ({ next: envelope.causation_id, found: [] as Cause[] }));
  for (let depth = MAX_DEPTH; depth >= 0; depth -= 1) {
    await readMore(
      client,
      causes,
      chains.flatMap(({ next }) => next ?? []),
    );
    for (const chain of chains) {
      const cause =
        chain.next === null ? undefined : find(causes, chain.next).find((one) => one.depth === depth);
      if (cause) chain.found.unshift(cause);
      chain.next = cause?.causation_id ?? null;
    }
  }
  return chains.map(({ found }) => found);
}

function loopOf({ message, event_uid, envelope }: Candidate, chain: Cause[]): Refused {
  const steps = [...chain.flatMap(stepsOf), eventText(envelope.id, envelope.type)];
  // What came before may be older than events are kept.
  if (chain[0]?.depth !== 0) steps.unshift('…');
  const fault = `comes after ${MAX_DEPTH + 1} others, each caused by the one before; expected at most ${MAX_DEPTH}`;
  return {
    message,
    event_uid,
    reason: 'causal_loop',
    violations: [{ pointer: '/causation_id', message: `${fault}: ${steps.join(' → ')}` }],
  };
}

function stepsOf({ id, type, task }: Cause): string[] {
  const event = id !== null && type !== null ? [eventText(id, type)] : [];
  if (!task) return event;
  const key = `${task.idempotency_key.slice(0, 12)}…`;
  return [...event, `task ${key} of run ${task.run_id} (${task.definition_id})`];
}

const eventText = (id: string, type: string): string => `${shortened(id)} (${shortened(type)})`;

function shortened(name: string): string {
  return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME).toWellFormed()}…` : name;
}
