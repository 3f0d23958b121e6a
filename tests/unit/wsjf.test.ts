import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rankTasks } from '../../src/core/wsjf.ts';

const inputs = (
  business_value: unknown,
  time_criticality: unknown,
  risk_reduction: unknown,
  job_size: unknown,
) => ({
  business_value,
  time_criticality,
  risk_reduction,
  job_size,
});
const task = (id: string, values: object, updated_at: unknown = '2026-11-20T00:00:00Z') => ({
  id,
  updated_at,
  ...values,
});
const order = (tasks: Parameters<typeof rankTasks>[0]) => rankTasks(tasks).ranked.map(({ id }) => id);

test('wsjf is the sum of value, urgency and risk over the size, and the highest comes first', () => {
  const tasks = [
    task('a', inputs(1, 2, 3, 4)),
    task('b', inputs(20, 20, 20, 1)),
    task('c', inputs(1, 1, 1, 20)),
  ];
  const { ranked, unranked } = rankTasks(tasks);
  expect(ranked).toEqual([
    { ...tasks[1], wsjf: 60 },
    { ...tasks[0], wsjf: 1.5 },
    { ...tasks[2], wsjf: 0.15 },
  ]);
  expect(unranked).toEqual([]);
});

test.each([
  null,
  undefined,
  '5',
  true,
  0,
  0.99,
  20.01,
  -3,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  [5],
  { value: 5 },
])('%j is no input: it is missing, never guessed', (odd) => {
  const { ranked, unranked } = rankTasks([
    task('a', inputs(odd, 5, 5, odd)),
    task('b', inputs(1, odd, odd, 1)),
  ]);
  expect(ranked).toEqual([]);
  expect(unranked).toEqual([
    { id: 'a', missing: ['business_value', 'job_size'] },
    { id: 'b', missing: ['time_criticality', 'risk_reduction'] },
  ]);
});

test('inputs need not be whole, and an input that is not there is missing', () => {
  const { ranked, unranked } = rankTasks([task('a', inputs(1.5, 1, 1, 2)), { id: 'b', job_size: 1 }]);
  expect(ranked.map(({ wsjf }) => wsjf)).toEqual([1.75]);
  expect(unranked).toEqual([{ id: 'b', missing: ['business_value', 'time_criticality', 'risk_reduction'] }]);
});

test('of equal ones the one that was touched longest ago is first, whatever its time zone and its digits', () => {
  const same = inputs(3, 3, 3, 3);
  const tasks = [
    task('micro-late', same, '2026-11-20T08:00:00.123457Z'),
    task('never', same, null),
    task('zone', same, '2026-11-20T09:59:59+02:00'),
    task('no-time', same, 'yesterday 1'),
    task('micro-early', inputs(6, 6, 6, 6), '2026-11-20T08:00:00.123456z'),
    task('whole', same, '2026-11-20T08:00:00Z'),
  ];
  expect(order(tasks)).toEqual(['zone', 'whole', 'micro-early', 'micro-late', 'never', 'no-time']);
});

test('ids are in the order of code points, also those that have no rank', () => {
  const ids = ['ｚ', '😀', 'a', 'Z', 'a-b', 'é'];
  const sorted = ['Z', 'a', 'a-b', 'é', 'ｚ', '😀'];
  expect(order(ids.map((id) => task(id, inputs(2, 2, 2, 2))))).toEqual(sorted);
  expect(rankTasks(ids.map((id) => ({ id }))).unranked.map(({ id }) => id)).toEqual(sorted);
});

test('nothing that came in is changed', () => {
  const tasks = [task('b', inputs(1, 1, 1, 1)), task('a', inputs(2, 2, 2, 1))];
  const before = structuredClone(tasks);
  rankTasks(tasks);
  expect(tasks).toEqual(before);
});

const anInput = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 1, max: 4 }) },
  { weight: 3, arbitrary: fc.integer({ min: -1, max: 22 }) },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(null, '3', undefined) },
);
const tasksOfSorts = fc.uniqueArray(
  fc.record({
    id: fc.string({ unit: 'binary', minLength: 1, maxLength: 3 }),
    business_value: anInput,
    time_criticality: anInput,
    risk_reduction: anInput,
    job_size: anInput,
    updated_at: fc.integer({ min: 0, max: 3 }).map((hour) => `2026-11-20T0${hour}:00:00Z`),
  }),
  { selector: ({ id }) => id, maxLength: 40 },
);

/** Without floating point, and by counting who stands before whom in the place of sorting. */
function rankedByCounting(tasks: typeof tasksOfSorts extends fc.Arbitrary<infer Tasks> ? Tasks : never) {
  const isInput = (value: unknown) => Number.isInteger(value) && Number(value) > 0 && Number(value) < 21;
  const whole = tasks.flatMap((each) => {
    const values = [each.business_value, each.time_criticality, each.risk_reduction, each.job_size];
    if (!values.every(isInput)) return [];
    const [value = 0, urgency = 0, risk = 0, size = 0] = values.map(Number);
    return [{ id: each.id, at: each.updated_at, points: value + urgency + risk, size }];
  });
  const codes = (id: string) =>
    [...id].map((character) => String(character.codePointAt(0)).padStart(8, '0')).join('');
  const isBefore = (a: (typeof whole)[number], b: (typeof whole)[number]): boolean => {
    const [left, right] = [a.points * b.size, b.points * a.size];
    if (left !== right) return left > right;
    if (a.at !== b.at) return a.at < b.at;
    return codes(a.id) < codes(b.id);
  };
  const places: string[] = [];
  for (const one of whole) places[whole.filter((other) => isBefore(other, one)).length] = one.id;
  return { places, others: tasks.length - whole.length };
}

test('on random tasks the ranking is what an independent computation says, ties included', () => {
  fc.assert(
    fc.property(tasksOfSorts, (tasks) => {
      const { ranked, unranked } = rankTasks(tasks);
      const { places, others } = rankedByCounting(tasks);
      expect(ranked.map(({ id }) => id)).toEqual(places);
      expect(unranked).toHaveLength(others);
      for (const { missing } of unranked) expect(missing).not.toEqual([]);
    }),
    { numRuns: 500 },
  );
});
