/** What can be made to go wrong, and the seeded dice that decide when. */
import { z } from 'zod';

/**
 * `http_500`                500, before or after accepting
 * `http_429`                429 with `Retry-After: 1`, never accepted
 * `http_409_known`          a key that is known is answered 409 in the place of 200
 * `close_after_accepting`   accepted, then the connection is gone without an answer
 * `close_before_accepting`  the connection is gone, nothing happened
 * `hang`                    accepted or not, never answered
 * `rubbish`                 accepted, and the answer cannot be used
 * `reject_400`              400, never accepted; with `reject_title` only where the title contains it
 * `unauthorized`            401, never accepted
 */
export const FAULTS = [
  'http_500',
  'http_429',
  'http_409_known',
  'close_after_accepting',
  'close_before_accepting',
  'hang',
  'rubbish',
  'reject_400',
  'unauthorized',
] as const;
export type Fault = (typeof FAULTS)[number];

/** Those that whoever sends again gets over; a wrong token and a task that is refused take an operator. */
export const PASSING_FAULTS: readonly Fault[] = FAULTS.filter(
  (fault) => fault !== 'reject_400' && fault !== 'unauthorized',
);

/** The others strike look-ups and comments too. */
const OF_NEW_TASKS: readonly Fault[] = ['http_409_known', 'reject_400'];

/** `rate`: how often one of them strikes, 0 to 1. Without a `seed` the dice roll on. */
export const faultSettingsSchema = z.strictObject({
  faults: z.array(z.enum(FAULTS)),
  rate: z.number().min(0).max(1).default(1),
  seed: z.int().optional(),
  reject_title: z.string().min(1).optional(),
});
export type FaultSettings = z.input<typeof faultSettingsSchema>;

export interface FaultsInForce {
  faults: Fault[];
  rate: number;
  seed: number;
  reject_title: string | null;
}

export interface Faults {
  inForce(): FaultsInForce;
  /** In the place of all that was set before. @throws ZodError */
  set(settings: FaultSettings): void;
  /** `newTask`: its title, where the request is to make a task. */
  next(newTask: { title: string | null } | null): Fault | null;
  pick<T>(choices: readonly T[]): T;
}

export function createFaults(seed: number): Faults {
  let inForce: FaultsInForce = { faults: [], rate: 0, seed, reject_title: null };
  let roll = createDice(seed);

  function canStrike(fault: Fault, newTask: { title: string | null } | null): boolean {
    if (!newTask) return !OF_NEW_TASKS.includes(fault);
    if (fault !== 'reject_400' || inForce.reject_title === null) return true;
    return newTask.title?.includes(inForce.reject_title) ?? false;
  }

  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(roll() * choices.length)] as T;
  return {
    inForce: () => ({ ...inForce, faults: [...inForce.faults] }),
    set(settings) {
      const { faults, rate, seed: newSeed, reject_title = null } = faultSettingsSchema.parse(settings);
      inForce = { faults, rate, seed: newSeed ?? inForce.seed, reject_title };
      if (newSeed !== undefined) roll = createDice(newSeed);
    },
    next(newTask) {
      const possible = inForce.faults.filter((fault) => canStrike(fault, newTask));
      if (possible.length === 0 || roll() >= inForce.rate) return null;
      return pick(possible);
    },
    pick,
  };
}

/** Mulberry32: numbers from 0 up to 1, the same for the same seed. */
export function createDice(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
