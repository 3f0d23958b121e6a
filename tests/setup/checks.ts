/** What is counted after a load: checks with their faults, and how a person reads them. */
export interface Check {
  what: string;
  /** Empty where it holds. */
  faults: string[];
}

const SHOWN_FAULTS = 10;

export const verdictLines = (checks: Check[]): string[] =>
  checks.flatMap(({ what, faults }) => [
    `${faults.length === 0 ? 'ok    ' : 'FAILED'}  ${what}`,
    ...faults.slice(0, SHOWN_FAULTS).map((fault) => `          ${fault}`),
    ...(faults.length > SHOWN_FAULTS ? [`          and ${faults.length - SHOWN_FAULTS} more`] : []),
  ]);

/** Both as multisets. */
export function differences(expected: string[], found: string[]): string[] {
  const left = new Map<string, number>();
  for (const one of expected) left.set(one, (left.get(one) ?? 0) + 1);
  for (const one of found) left.set(one, (left.get(one) ?? 0) - 1);
  return [...left].flatMap(([one, n]) => {
    if (n === 0) return [];
    return [n > 0 ? `missing: ${one}` : `too often, by ${-n}: ${one}`];
  });
}
