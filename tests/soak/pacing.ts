/** Tokens by the clock: evenly, and what was missed is caught up within a bound only. */
export interface Pacer {
  /** Due by now and not taken yet. `now`: ms, never less than before. */
  take(now: number): number;
  /** Given up, because the taker came too late for them. */
  lost(): number;
}

/** Counts from `start`, in ms. `most`: taken at once. */
export function createPacer(perSecond: number, start: number, most: number): Pacer {
  let given = 0;
  let lost = 0;
  return {
    take(now) {
      const due = Math.floor(((now - start) * perSecond) / 1_000) - given - lost;
      const taken = Math.min(due, Math.floor(most));
      lost += due - taken;
      given += taken;
      return taken;
    },
    lost: () => lost,
  };
}
