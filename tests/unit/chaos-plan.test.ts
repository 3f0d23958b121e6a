/** What a seed of the chaos suite does is decided by the seed alone, and every seed does all of it. */
import { expect, test } from 'vitest';
import { planOf, REPLICAS, SERVERS } from '../chaos/plan.ts';

const SEEDS = Array.from({ length: 50 }, (_, n) => n + 1);

test('a seed repeats its acts and its messages, and another seed does not', () => {
  expect(planOf(7, 20)).toEqual(planOf(7, 20));
  expect(planOf(8, 20)).not.toEqual({ ...planOf(7, 20), seed: 8 });
});

test.each([8, 20])('each seed of %i seconds attacks everything in every way', (seconds) => {
  for (const seed of SEEDS) {
    const { acts, messages } = planOf(seed, seconds);
    expect(new Set(acts.map(({ kind }) => kind)), `seed ${seed}`).toEqual(
      new Set([
        'kill',
        'freeze',
        'hold_table',
        'fill_connections',
        'delete_consumer',
        'terminate',
        'reset',
        'issue_core_fails',
      ]),
    );
    const killed = acts.flatMap((act) => (act.kind === 'kill' ? [act.processes.join()] : []));
    expect(killed, `seed ${seed}`).toEqual(expect.arrayContaining([...SERVERS]));
    expect(
      killed.some((names) => REPLICAS.some((name) => name === names)),
      `seed ${seed}`,
    ).toBe(true);
    expect(
      killed.some((names) => names.includes(',')),
      `seed ${seed}`,
    ).toBe(true);
    expect(new Set(messages.map(({ kind }) => kind)), `seed ${seed}`).toEqual(
      new Set(['event', 'resend', 'malformed']),
    );
  }
});

test('events are numbered without a gap, and only one that was sent is sent again', () => {
  for (const seed of SEEDS) {
    let next = 0;
    for (const { kind, n } of planOf(seed, 20).messages) {
      if (kind === 'event') expect(n).toBe(next++);
      if (kind === 'resend') expect(n).toBeLessThan(next);
    }
  }
});
