/** What State Hub is told of a breach, and when it is told again. */
import { expect, test } from 'vitest';
import type { Breach, HealedBreach } from '../../src/store/expectation-breaches.ts';
import { breachProgress, healingProgress } from '../../src/trust/breach-progress.ts';

const breach: Breach = {
  breach_id: 7,
  definition_id: 'daily-triage',
  run_every: '26h',
  last_completed_at: '2026-11-19T06:00:07Z',
  counted_from: '2026-11-19T06:00:07Z',
  since: '2026-11-20T08:00:07Z',
  noticed_at: '2026-11-20T08:00:09.5Z',
  breach_posted_at: null,
};
const healed: HealedBreach = {
  ...breach,
  healed_at: '2026-11-21T06:00:12Z',
  healed_by: 'run_completed',
  completed_at: '2026-11-21T06:00:08Z',
};

test('a breach says in plain words what is missing and since when', () => {
  expect(breachProgress(breach)).toEqual({
    event_type: 'activity_expectation_breached',
    summary:
      'daily-triage has completed no run for more than 26h: the last one completed at 2026-11-19T06:00:07Z',
    detail: {
      definition_id: 'daily-triage',
      run_every: '26h',
      last_completed_at: '2026-11-19T06:00:07Z',
      since: '2026-11-20T08:00:07Z',
      noticed_at: '2026-11-20T08:00:09.5Z',
    },
    author: 'activity-core',
    idempotency_key: 'activity-core:expectation:daily-triage:2026-11-20T08:00:09.5Z:breached',
  });
});

test('where no run ever completed, it says since when one was waited for', () => {
  expect(breachProgress({ ...breach, last_completed_at: null }).summary).toBe(
    'daily-triage has completed no run for more than 26h: none completed since it was enabled at 2026-11-19T06:00:07Z',
  );
});

test('where it was enabled again later than its last run, it says both', () => {
  const { summary } = breachProgress({ ...breach, last_completed_at: '2026-11-01T06:00:00Z' });
  expect(summary).toContain('completed at 2026-11-01T06:00:00Z, and it was enabled again at 2026-11-19');
});

test('a healing names the run that ended the silence', () => {
  expect(healingProgress(healed)).toMatchObject({
    event_type: 'activity_expectation_healed',
    summary:
      'daily-triage has completed a run again at 2026-11-21T06:00:08Z; it was late since 2026-11-20T08:00:07Z',
    detail: { last_completed_at: '2026-11-21T06:00:08Z', healed_by: 'run_completed' },
  });
});

test('an expectation that ended without a run keeps the time of the last one', () => {
  const { summary, detail } = healingProgress({
    ...healed,
    healed_by: 'definition_disabled',
    completed_at: null,
  });
  expect(summary).toContain('was disabled and is not expected to run any more');
  expect(detail).toMatchObject({ last_completed_at: '2026-11-19T06:00:07Z' });
});

test('breach and healing have a key each, another breach of the definition has others, and each stays the same', () => {
  const later = { ...healed, noticed_at: '2026-11-25T08:00:00Z' };
  const keys = [breach, healed, later].map((each) => breachProgress(each).idempotency_key);
  keys.push(...[healed, later].map((each) => healingProgress(each).idempotency_key));
  expect(new Set(keys).size).toBe(4);
});
