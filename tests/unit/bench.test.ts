import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { compileDefinition } from '../../src/core/compile.ts';
import { definitionSchema } from '../../src/core/definition.ts';
import { evaluate } from '../../src/core/evaluate.ts';
import { eventTypeSchema } from '../../src/core/event-type.ts';
import { furtherCost } from '../bench/definitions-on-one-type.ts';
import { type EventRows, rowsOf } from '../bench/event-rows.ts';
import { eventText, sendAll, specsOf } from '../bench/events.ts';
import { goalsOf, goalTable } from '../bench/goals.ts';
import { parseOptions, UsageError } from '../bench/options.ts';
import { latencyRow, medianRow, table } from '../bench/report.ts';
import { startSlowIssueCore } from '../bench/slow-issue-core.ts';

const read = (file: string): string => readFileSync(file, 'utf8');

describe('the goals', () => {
  test('a ratio is compared with what it should be', () => {
    const rows = [
      medianRow('product.drain.8', 'activity-core', 'events/s', [300, 500, 400]),
      medianRow('pipe.drain', 'the pipe', 'events/s', [800]),
      medianRow('memory.peak', 'memory', 'MB', [351]),
    ];
    const [toPipe, memory] = goalsOf(rows);
    expect(toPipe).toMatchObject({ value: 0.5, wanted: '≥ 0.4', met: true });
    expect(memory).toMatchObject({ value: 351, wanted: '≤ 350', met: false });
  });

  test('a ratio to what was not measured is neither met nor missed', () => {
    const [goal] = goalsOf([{ id: 'product.drain.8', what: '', value: 400, unit: 'events/s' }]);
    expect(goal).toMatchObject({ value: null, met: null });
    expect(goalTable(goal ? [goal] : [])).toContain('–');
  });

  test('each that is documented is computed, and the other way round', () => {
    const [, section = ''] = read('docs/performance.md').split('\n## Goals\n');
    const documented = [...section.matchAll(/^\| \(.*? \| (?:flat, )?([≥≤] [\d.]+) /gm)].map(
      ([, wanted]) => wanted,
    );
    const everything = new Set<string>();
    for (const [, id] of read('tests/bench/goals.ts').matchAll(/of: '([^']+)'/g)) everything.add(id ?? '');
    const rows = [...everything].map((id) => ({ id, what: '', value: 1, unit: '' }));
    const computed = goalsOf(rows).flatMap(({ wanted }) => wanted ?? []);
    expect(documented.length).toBeGreaterThan(8);
    expect(new Set(computed)).toEqual(new Set(documented));
  });
});

describe('the report', () => {
  test('shows a median, the quantiles of what was timed, and why something was not measured', () => {
    const shown = table([
      medianRow('a', 'three rounds', 'events/s', [30, 10, 20]),
      latencyRow(
        'b',
        'timed',
        Array.from({ length: 100 }, (_, n) => n),
      ),
      { id: 'c', what: 'a peer', value: null, unit: 'events/s', note: 'not measured: there is no npm' },
    ]).split('\n');
    expect(shown[0]).toMatch(/^three rounds +20\.0 events\/s$/);
    expect(shown[1]).toMatch(/^timed, p50 +50\.0 ms {2}p95 95\.0, p99 99\.0$/);
    expect(shown[2]).toMatch(/– events\/s {2}\(not measured: there is no npm\)$/);
  });

  test('the median of an even number of rounds favours neither', () => {
    expect(medianRow('a', '', '', [40, 10, 20, 30]).value).toBe(25);
  });

  test('a further definition costs nothing where an event takes as long with ten as with one', () => {
    expect(furtherCost(100, 100, 10)).toBe(0);
    expect(furtherCost(100, 10, 10)).toBeCloseTo(1);
  });
});

describe('the options', () => {
  const letters = ['a', 'c', 'd'];

  test('have sizes that --quick makes small and a number of its own changes', () => {
    expect(parseOptions([], letters)).toMatchObject({
      rounds: 3,
      backlog: 200_000,
      only: null,
      peers: false,
    });
    expect(parseOptions(['--quick', '--backlog', '70'], letters)).toMatchObject({ rounds: 1, backlog: 70 });
    expect(parseOptions(['--only', 'a, d'], letters).only).toEqual(new Set(['a', 'd']));
  });

  test.each([['--rounds', '0'], ['--events', '1e4'], ['--only', 'a,x'], ['--fast']])(
    'refuse %s %s',
    (...args) => {
      expect(() => parseOptions(args, letters)).toThrow(UsageError);
    },
  );

  test('are all documented, and no other', () => {
    const [bench = ''] = read('docs/performance.md').split('\n## Soak\n');
    const documented = [...bench.matchAll(/^\| (`--.*?) \| /gm)]
      .flatMap(([, cell]) => [...(cell ?? '').matchAll(/`--([a-z-]+)/g)])
      .map(([, name]) => name);
    const known = ['json', 'only', 'peers', 'quick'];
    for (const [, name] of read('tests/bench/options.ts').matchAll(/^ {2}'?([a-z-]+)'?: \['/gm))
      known.push(name ?? '');
    expect(documented.toSorted()).toEqual(known.toSorted());
  });
});

describe('the load', () => {
  test('yields specs from as many of ten events as it says', async () => {
    const low: string[] = [];
    const load = { events: 25, specsOfTen: 8 };
    await sendAll(load, async (text) => {
      if (rowsOf(Buffer.from(text), { stream_seq: 1, stream_timestamp: 1 }).task) low.push(text);
    });
    expect(low.length).toBe(specsOf(load));
    expect(specsOf(load)).toBe(21);
    expect(new Set(low).size).toBe(21);
  });

  test.each([0.5, 0.9])('the rows without an engine are those that the definition decides, at %s', (rate) => {
    const rows = rowsOf(Buffer.from(eventText('e1', rate)), { stream_seq: 1, stream_timestamp: 1 });
    const decided = evaluate(shipped(), {
      event: null,
      context: rows.run.context ?? {},
      run: {
        run_id: rows.run.run_id,
        definition_id: rows.run.definition_id,
        scheduled_for: null,
        date: '2026-11-20',
      },
    });
    expect(rows.run.rules).toEqual(decided.rules);
    expect(specOf(rows)).toEqual(
      decided.tasks.map(({ rule_id, dedupe_key, spec }) => ({ rule_id, dedupe_key, spec })),
    );
  });
});

const specOf = ({ task }: EventRows) =>
  task ? [{ rule_id: task.rule_id, dedupe_key: task.dedupe_key, spec: task.spec }] : [];

function shipped() {
  const definition = definitionSchema.parse(parse(read('definitions/low-success-rate-review.yaml')));
  const eventType = eventTypeSchema.parse(
    parse(read('definitions/event-types/kaizen.metrics.recorded.yaml')),
  );
  const contextTypes = { metrics: eventType.attributes_schema };
  const result = compileDefinition(definition, { eventType, contextTypes, reportTexts: [] });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.compiled;
}

test('the slow issue-core makes one task of a key, and tells how many requests it had in hand', async () => {
  await using issueCore = await startSlowIssueCore(20);
  const post = (key: string) =>
    fetch(`${issueCore.url}/api/v1/tasks`, {
      method: 'POST',
      headers: { 'idempotency-key': key },
      body: '{}',
    });
  const answers = await Promise.all(['one', 'two'].map(post));
  const again = await post('one');
  expect([...answers.map(({ status }) => status), again.status]).toEqual([201, 201, 200]);
  const look = await fetch(`${issueCore.url}/api/v1/tasks?dedupe_key=k&state=open`);
  expect(await look.json()).toEqual({ items: [] });
  expect(issueCore.figures()).toMatchObject({ tasks: 2, requests: 4, mostInHand: 2 });
});
