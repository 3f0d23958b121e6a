import { expect, test } from 'vitest';
import { spelled } from '../../src/core/duration.ts';

test.each([
  ['5 min', '5m'],
  ['every 5 minutes', '5m'],
  ['1h30m', '90m'],
  ['1.5h', '90m'],
  ['2 weeks', '14d'],
  ['PT5M', '5m'],
  ['pt90s', '90s'],
  ['PT1.5H', '90m'],
  ['P1D', '1d'],
  ['P1W', '7d'],
  ['P1DT12H', '36h'],
])('%s is written %s', (text, written) => {
  expect(spelled(text)).toBe(written);
});

test.each(['P1M', 'P1Y', 'P1H', 'P1M2D', 'PT1D', 'P', 'PT', 'P1DT', 'soon', '1 month', '0s'])(
  '%s has no spelling',
  (text) => {
    expect(spelled(text)).toBeNull();
  },
);
