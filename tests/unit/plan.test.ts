import { describe, expect, test } from 'vitest';
import { zonedTime } from '../../src/cli/time.ts';
import { compileDefinition } from '../../src/core/compile.ts';
import { definitionSchema } from '../../src/core/definition.ts';
import { contentSha256 } from '../../src/core/document.ts';
import { reviewedContentHash } from '../../src/core/reviewed-content.ts';
import { type AppliedState, contentKey } from '../../src/schedules/applied-state.ts';
import { diffFields } from '../../src/schedules/fields.ts';
import type { Declared } from '../../src/schedules/plan.ts';
import { comparePlan } from '../../src/schedules/plan.ts';
import { createSinkMode } from '../../src/sinks/sink-mode.ts';

describe('fields that differ', () => {
  test.each([
    ['nothing', { a: [1, { b: null }] }, { a: [1, { b: null }] }, []],
    ['a member', { a: { b: 1 } }, { a: { b: 2 } }, [{ path: 'a.b', from: 1, to: 2 }]],
    ['one that is new', { a: {} }, { a: { b: 2 } }, [{ path: 'a.b', from: null, to: 2 }]],
    ['one that is gone', { a: { b: [1] } }, { a: {} }, [{ path: 'a.b', from: [1], to: null }]],
    ['another kind', { a: { b: 1 } }, { a: [1] }, [{ path: 'a', from: { b: 1 }, to: [1] }]],
    ['an element', { r: [{ c: 1 }] }, { r: [{ c: 2 }] }, [{ path: 'r[0].c', from: 1, to: 2 }]],
    ['a shorter list', { r: [1, 2] }, { r: [1] }, [{ path: 'r[1]', from: 2, to: null }]],
    ['a name that is none', { 'a b': 1 }, { 'a b': 2 }, [{ path: '["a b"]', from: 1, to: 2 }]],
  ])('%s', (_what, from, to, fields) => {
    expect(diffFields(from, to)).toEqual(fields);
  });
});

/** As the folder gives it, without what only runs need. */
function declared(schedule: object, fields: object = {}): Declared {
  const definition = definitionSchema.parse({
    id: 'timed',
    title: 'On time',
    owner: 'tests',
    trigger: { schedule },
    ...fields,
  });
  const document = JSON.parse(JSON.stringify(definition));
  const compilation = compileDefinition(definition, { eventType: null, contextTypes: {}, reportTexts: [] });
  if (!compilation.ok) throw new Error(JSON.stringify(compilation.problems));
  const { compiled } = compilation;
  const loaded = { definition, document, definition_hash: contentSha256(document), file: 'timed.yaml' };
  return { definitions: [{ ...loaded, compiled }], eventTypes: [] };
}

const NOTHING = {
  definitions: new Map(),
  eventTypes: new Map(),
  schedules: new Map(),
  found: new Map(),
  orphans: new Set<string>(),
  paused: new Set<string>(),
  approved: new Set<string>(),
};

function fireTimes(schedule: object, now: string, fields: object = {}): string[] | undefined {
  return comparePlan(declared(schedule, fields), NOTHING, createSinkMode('null'), Date.parse(now)).changes[0]
    ?.next_fire_times;
}

describe('next fire times', () => {
  test('follow the clock of the time zone when it goes forward', () => {
    const daily = { cron: '30 6 * * *', timezone: 'Europe/Berlin' };
    const times = fireTimes(daily, '2026-03-27T12:00:00Z') ?? [];
    expect(times).toEqual([
      '2026-03-28T05:30:00Z',
      '2026-03-29T04:30:00Z',
      '2026-03-30T04:30:00Z',
      '2026-03-31T04:30:00Z',
      '2026-04-01T04:30:00Z',
    ]);
    expect(times.slice(0, 2).map((time) => zonedTime(time, 'Europe/Berlin'))).toEqual([
      '2026-03-28 06:30:00+01:00 Europe/Berlin',
      '2026-03-29 06:30:00+02:00 Europe/Berlin',
    ]);
  });

  test('and when it goes back', () => {
    const daily = { cron: '30 6 * * *', timezone: 'Europe/Berlin' };
    expect(fireTimes(daily, '2026-10-23T12:00:00Z')).toEqual([
      '2026-10-24T04:30:00Z',
      '2026-10-25T05:30:00Z',
      '2026-10-26T05:30:00Z',
      '2026-10-27T05:30:00Z',
      '2026-10-28T05:30:00Z',
    ]);
  });

  test('are none where nothing will fire', () => {
    expect(fireTimes({ every: '1h' }, '2026-03-27T12:00:00Z', { enabled: false })).toEqual([]);
    expect(fireTimes({ every: '1h' }, '2026-03-27T12:00:00Z', { trigger: { manual: {} } })).toEqual([]);
  });
});

describe('what is told of times', () => {
  test.each([
    ['UTC', '2026-10-25 00:30:00+00:00 UTC'],
    ['America/New_York', '2026-10-24 20:30:00-04:00 America/New_York'],
    ['Asia/Kathmandu', '2026-10-25 06:15:00+05:45 Asia/Kathmandu'],
  ])('in %s', (timezone, told) => {
    expect(zonedTime('2026-10-25T00:30:00Z', timezone)).toBe(told);
  });
});

describe('what runs will be', () => {
  const live = declared({ every: '1h' }, { emit: 'live' });
  const [{ definition }] = live.definitions as [Declared['definitions'][number]];
  const content = { definition_id: definition.id, content_hash: reviewedContentHash(definition) };
  const approved = { ...NOTHING, approved: new Set([contentKey(content)]) };
  const sinkOf = (...[what, applied, type]: [Declared, AppliedState, 'null' | 'issue-core']) => {
    const [change] = comparePlan(what, applied, createSinkMode(type), 0).changes;
    return [change?.emit, change?.sink_mode, change?.sink_reason];
  };

  test('is live where the content is approved, and otherwise audit with the reason', () => {
    expect(sinkOf(live, approved, 'issue-core')).toEqual(['live', 'live', null]);
    expect(sinkOf(live, approved, 'null')).toEqual(['live', 'audit', 'ISSUE_SINK_TYPE is null']);
    const unapproved = ['live', 'audit', 'no approved audit run of this content'];
    expect(sinkOf(live, NOTHING, 'issue-core')).toEqual(unapproved);
    const other = declared({ every: '2h' }, { emit: 'live' });
    expect(sinkOf(other, approved, 'issue-core')).toEqual(unapproved);
  });

  test('is nothing where none will be', () => {
    const off = declared({ every: '1h' }, { emit: 'live', enabled: false });
    expect(sinkOf(off, approved, 'issue-core')).toEqual([null, null, null]);
    const gone = { ...NOTHING, orphans: new Set(['timed']) };
    const nothing = { definitions: [], eventTypes: [] };
    expect(sinkOf(nothing, gone, 'issue-core')).toEqual([null, null, null]);
  });
});
