/** Whatever stands in a roster or a `.kaizen/schedule.yml`: entries, or a reason. Never a throw of another kind. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createScheduleReader } from '../../src/resolvers/kaizen-schedule.ts';
import { ResolverError } from '../../src/resolvers/resolver.ts';
import { useFuzzSeed } from '../setup/fuzz-seed.ts';
import { PILOT, reposRoot, rosterOf, SCHEDULE } from './repos-root.ts';

useFuzzSeed();

const REASON =
  /^(missing|no_schedule|malformed|invalid_cadence|outside_root|too_large|unreadable|engagement_mismatch): /;

const ROSTER = rosterOf({ good: '../good', other: '../other' });
const PIECES = [
  ...['\t', '\n', ': ', '- ', '&a ', '*a', '{', '}', '[', ']', '"', "'", '|', '#', '<<: ', '!!map ', '? '],
  ...[
    'hourly',
    'daily',
    '1',
    'null',
    '~',
    'yes',
    '../',
    '/etc',
    '\\u0000',
    '\u0000',
    '.inf',
    '0x10',
    '"* * * * *"',
  ],
  ...[
    'schedules: ',
    'repos: ',
    'cron: ',
    'enabled: ',
    'timezone: Mars/Base',
    'engagement: x',
    'a'.repeat(300),
  ],
];

/** The text with some of its characters replaced, removed or added to. */
const damaged = (text: string) =>
  fc
    .array(
      fc.tuple(
        fc.nat(text.length),
        fc.oneof(fc.constantFrom(...PIECES), fc.string({ unit: 'binary', maxLength: 5 })),
        fc.nat(15),
      ),
      { minLength: 1, maxLength: 6 },
    )
    .map((damages) =>
      damages.reduce((before, [at, put, cut]) => before.slice(0, at) + put + before.slice(at + cut), text),
    );

const pieces = fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((parts) => parts.join(''));
const bytesOf = (text: string) => Buffer.from(text);

test('any schedule file has entries, or a code and a place', () => {
  const read = createScheduleReader();
  const files = fc.oneof(damaged(PILOT).map(bytesOf), pieces.map(bytesOf), fc.uint8Array({ maxLength: 200 }));
  fc.assert(
    fc.property(files, (bytes) => {
      const found = read(bytes);
      if (found.ok) expect(Array.isArray(found.schedule.entries)).toBe(true);
      else expect(`${found.code} ${found.message}`).toMatch(/^(malformed|invalid_cadence) .+:\d+:\d+/s);
    }),
    { numRuns: 1_000, interruptAfterTimeLimit: 4_000 },
  );
});

test('one repository with any schedule file never fails the others', async () => {
  await using root = await reposRoot({ [`good/${SCHEDULE}`]: PILOT });
  await fc.assert(
    fc.asyncProperty(fc.oneof(damaged(PILOT), pieces), async (text) => {
      await root.write(`a/${SCHEDULE}`, text);
      const { entries, skipped } = await root.discover({}, {}, '2026-11-20T06:15:00Z');
      expect(entries.filter(({ repo }) => repo === 'good')).toHaveLength(2);
      for (const { repo, reason } of skipped)
        expect(`${repo} ${reason}`).toMatch(/^a (malformed|invalid_cadence): /);
    }),
    { numRuns: 150, interruptAfterTimeLimit: 4_000 },
  );
});

test('any roster gives entries and reasons, or fails the resolver and nothing else', async () => {
  await using root = await reposRoot({ [`good/${SCHEDULE}`]: PILOT });
  const rosters = fc.oneof(
    damaged(ROSTER).map(bytesOf),
    pieces.map(bytesOf),
    fc.uint8Array({ maxLength: 100 }),
  );
  let read = 0;
  await fc.assert(
    fc.asyncProperty(rosters, async (bytes) => {
      await root.write('engagement/roster.yaml', bytes);
      try {
        const { skipped } = await root.discover({ roster_path: 'engagement/roster.yaml' });
        for (const { reason } of skipped) expect(reason).toMatch(REASON);
        read += 1;
      } catch (error) {
        if (!(error instanceof ResolverError)) throw error;
        expect(error.message).toContain('roster');
      }
    }),
    { numRuns: 200, interruptAfterTimeLimit: 4_000 },
  );
  expect(read).toBeGreaterThan(0);
});
