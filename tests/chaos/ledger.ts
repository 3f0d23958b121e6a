/** What was done to whom, when. */
export interface LedgerEntry {
  at_ms: number;
  act: string;
  target: string;
  detail: string;
}

export interface Ledger {
  entries: LedgerEntry[];
  write(act: string, target: string, detail?: string): void;
}

/** Offsets count from now. `tell` hears each entry as it is written. */
export function createLedger(tell: (entry: LedgerEntry) => void = () => undefined): Ledger {
  const start = performance.now();
  const entries: LedgerEntry[] = [];
  return {
    entries,
    write(act, target, detail = '') {
      const entry = { at_ms: Math.round(performance.now() - start), act, target, detail };
      entries.push(entry);
      tell(entry);
    },
  };
}

export function lineOf({ at_ms, act, target, detail }: LedgerEntry): string {
  const offset = `+${(at_ms / 1_000).toFixed(2)}s`.padStart(9);
  return `${offset}  ${act.padEnd(16)}  ${target}${detail === '' ? '' : `  (${detail})`}`;
}
