/** The dispatches of this subscriber that are at work, as far as it knows. */

/** One that takes longer has a fault of its own to get over, and holds nobody up. */
const SLOW_MS = 2_000;

export interface OwnDispatches {
  add(dispatchIds: string[]): void;
  /** The others are decided. */
  keep(open: string[]): void;
  list(): string[];
}

export function createOwnDispatches(): OwnDispatches {
  const since = new Map<string, number>();
  return {
    add(dispatchIds) {
      for (const id of dispatchIds) since.set(id, performance.now());
    },
    keep(open) {
      const stays = new Set(open);
      for (const id of since.keys()) if (!stays.has(id)) since.delete(id);
    },
    list() {
      for (const [id, at] of since) if (performance.now() - at > SLOW_MS) since.delete(id);
      return [...since.keys()];
    },
  };
}
