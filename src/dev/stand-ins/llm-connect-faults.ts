/** What can be made to go wrong, and the seeded dice that decide when. */
import { createHash } from 'node:crypto';
import { z } from 'zod';

/**
 * `slow`                  the right answer, after `slow_ms`
 * `http_500`              500
 * `http_429`              429 with `Retry-After: 1`
 * `schema_breaking`       JSON that the schema refuses
 * `schema_breaking_once`  the same, then it is off
 * `not_json`              prose around the right answer
 * `truncated`             half of the right answer, `finish_reason` `length`
 * `refusal`               the model declines
 * `hang`                  never answered
 */
export const FAULTS = [
  'slow',
  'http_500',
  'http_429',
  'schema_breaking',
  'schema_breaking_once',
  'not_json',
  'truncated',
  'refusal',
  'hang',
] as const;
export type Fault = (typeof FAULTS)[number];

/** `rate`: how often one of them strikes, 0 to 1. Without a `seed` the dice roll on. */
export const faultSettingsSchema = z.strictObject({
  faults: z.array(z.enum(FAULTS)),
  rate: z.number().min(0).max(1).default(1),
  seed: z.int().optional(),
  slow_ms: z.int().min(0).max(3_600_000).default(5000),
});
export type FaultSettings = z.input<typeof faultSettingsSchema>;

export interface FaultsInForce {
  faults: Fault[];
  rate: number;
  seed: number;
  slow_ms: number;
}

export interface Faults {
  inForce(): FaultsInForce;
  /** In the place of all that was set before. @throws ZodError */
  set(settings: FaultSettings): void;
  next(): Fault | null;
}

export function createFaults(seed: number): Faults {
  let inForce: FaultsInForce = { faults: [], rate: 0, seed, slow_ms: 0 };
  let roll = createDice(seed);

  return {
    inForce: () => ({ ...inForce, faults: [...inForce.faults] }),
    set(settings) {
      const { seed: newSeed, ...others } = faultSettingsSchema.parse(settings);
      inForce = { ...others, seed: newSeed ?? inForce.seed };
      if (newSeed !== undefined) roll = createDice(newSeed);
    },
    next() {
      const { faults, rate } = inForce;
      if (faults.length === 0 || roll() >= rate) return null;
      const struck = faults[Math.floor(roll() * faults.length)] ?? null;
      if (struck === 'schema_breaking_once') inForce.faults = faults.filter((fault) => fault !== struck);
      return struck;
    },
  };
}

/** Numbers from 0 up to 1, the same for the same seed. */
function createDice(seed: number): () => number {
  let rolls = 0;
  return () => {
    rolls += 1;
    return createHash('sha256').update(`${seed}:${rolls}`).digest().readUInt32BE(0) / 2 ** 32;
  };
}
