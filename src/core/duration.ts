/** Durations as authors write them: a whole number and a unit, as in `90s`. */
import { z } from 'zod';
import { describeFound } from './wording.ts';

const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;
const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
type Unit = keyof typeof UNIT_MS;
const LONGEST = '366d';
const EXPECTED = 'a duration like 30s, 15m, 1h or 7d';

/** How else a unit is written. */
const SPELLINGS: readonly (readonly [RegExp, Unit, number])[] = [
  [/^(ms|msecs?|millis|milliseconds?)$/, 'ms', 1],
  [/^(s|secs?|seconds?)$/, 's', 1],
  [/^(m|mins?|minutes?)$/, 'm', 1],
  [/^(h|hrs?|hours?)$/, 'h', 1],
  [/^(d|days?)$/, 'd', 1],
  [/^(w|wks?|weeks?)$/, 'd', 7],
];

/** `atLeast` is a duration too, as in `10s`. */
export function duration(atLeast: string) {
  return z
    .string({ error: EXPECTED })
    .regex(DURATION, { error: ({ input }) => EXPECTED + meant(String(input)), abort: true })
    .refine((text) => durationMs(text) >= durationMs(atLeast), {
      error: ({ input }) => `expected at least \`${atLeast}\`, found ${describeFound(input)}`,
    })
    .refine((text) => durationMs(text) <= durationMs(LONGEST), {
      error: ({ input }) => `expected at most \`${LONGEST}\`, found ${describeFound(input)}`,
    });
}

/** `1h` → 3600000. The text has passed the schema. */
export function durationMs(text: string): number {
  const [, amount, unit] = DURATION.exec(text)!;
  return Number(amount) * UNIT_MS[unit as Unit];
}

/** `` (`5 min` is written `5m`) `` or nothing. */
function meant(text: string): string {
  const written = spelled(text);
  return written === null ? '' : ` (\`${text.trim()}\` is written \`${written}\`)`;
}

/** `90s` of `90 sec`, `1.5 min`, `1m30s` or `PT1M30S`; null where it cannot be told. */
export function spelled(text: string): string | null {
  const lower = text
    .trim()
    .toLowerCase()
    .replace(/^every\s+/, '');
  const plain = lower.startsWith('p') ? unitsOfIso(lower) : lower;
  if (!/^(\d{1,9}(\.\d{1,3})?\s*[a-z]+[\s,]*)+$/.test(plain)) return null;
  let ms = 0;
  let smallest: Unit = 'd';
  for (const [, amount, name = ''] of plain.matchAll(/([\d.]+)\s*([a-z]+)/g)) {
    const spelling = SPELLINGS.find(([pattern]) => pattern.test(name));
    if (!spelling) return null;
    const [, unit, times] = spelling;
    ms += Number(amount) * times * UNIT_MS[unit];
    if (UNIT_MS[unit] < UNIT_MS[smallest]) smallest = unit;
  }
  const units = Object.keys(UNIT_MS) as Unit[];
  const unit = [smallest, ...units.reverse()].find((one) => ms % UNIT_MS[one] === 0);
  return unit && ms > 0 ? `${ms / UNIT_MS[unit]}${unit}` : null;
}

/** `p1dt2h` → `1d2h`. A month before the `t` has no fixed length, and its letter is that of a minute behind it. */
function unitsOfIso(text: string): string {
  const [, days = '', times = ''] = /^p((?:\d+[dw])*)(?:t((?:\d+(?:\.\d+)?[hms])+))?$/.exec(text) ?? [];
  return days + times;
}
