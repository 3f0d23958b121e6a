import { setTimeout as pause } from 'node:timers/promises';

/** Asks again until the answer is there; the bound only ends a test that would never pass. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | null | undefined | false>,
  { boundMs = 280_000, context }: { boundMs?: number; context?: () => string } = {},
): Promise<T> {
  const end = performance.now() + boundMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > end) throw new Error(`never came true: ${what}\n${context?.() ?? ''}`);
    await pause(25);
  }
}
