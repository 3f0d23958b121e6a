/** Tokens by the clock: evenly, and what was missed is caught up within a bound only. */
export interface Pacer {
  /** Due by now and not taken yet, at most `atMost`: the others stay due. `now`: ms, never less than before. */
  take(now: number, atMost?: number): number;
  /** Given up, because the taker came too late for them. */
  lost(): number;
}

/** Counts from `start`, in ms. `behind`: what may be due and not taken; the rest is given up. */
export function createPacer(perSecond: number, start: number, behind: number): Pacer {
  let given = 0;
  let lost = 0;
  return {
    take(now, atMost = Number.POSITIVE_INFINITY) {
      const missed = Math.floor(((now - start) * perSecond) / 1_000) - given - lost;
      const due = Math.min(missed, Math.floor(behind));
      const taken = Math.min(due, atMost);
      lost += missed - due;
      given += taken;
      return taken;
    },
    lost: () => lost,
  };
}
