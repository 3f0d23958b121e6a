import { describe, expect, test } from 'vitest';
import { checkEnvelope } from '../../src/core/envelope.ts';
import { contentHash } from '../../src/core/ids.ts';
import { parseTraceparent, traceparentOf } from '../../src/core/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';
const VALID = `00-${TRACE}-${PARENT}-01`;

test('a traceparent of version 00 is passed on as it came, whatever its flags', () => {
  for (const flags of ['00', '01', '03', 'ff'])
    expect(parseTraceparent(`00-${TRACE}-${PARENT}-${flags}`)).toBe(`00-${TRACE}-${PARENT}-${flags}`);
});

test.each([
  ['another version', `cc-${TRACE}-${PARENT}-01`],
  ['another version with more behind', `cc-${TRACE}-${PARENT}-01-what-the-future-brings`],
  ['flags that are not known here', `cc-${TRACE}-${PARENT}-0d`],
])('of %s, what version 00 knows is taken', (_what, value) => {
  expect(parseTraceparent(value)).toBe(VALID);
});

test.each([
  ['the version ff', `ff-${TRACE}-${PARENT}-01`],
  ['no trace', `00-${'0'.repeat(32)}-${PARENT}-01`],
  ['no parent', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['upper case', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
  ['a short trace', `00-${TRACE.slice(1)}-${PARENT}-01`],
  ['more than version 00 has', `${VALID}-x`],
  ['more without a dash', `cc-${TRACE}-${PARENT}-01x`],
  ['white space', ` ${VALID}`],
  ['a line break behind', `${VALID}\n`],
  ['nothing', ''],
  ['no text', 1],
  ['null', null],
  ['a list', [VALID]],
])('%s is no traceparent', (_what, value) => {
  expect(parseTraceparent(value)).toBeNull();
});

test('a header is read in any case; two of them are none', () => {
  expect(traceparentOf({ Traceparent: [VALID] })).toBe(VALID);
  expect(traceparentOf({ traceparent: [VALID, VALID] })).toBeNull();
  expect(traceparentOf({ traceparent: [VALID], TraceParent: [VALID] })).toBeNull();
  expect(traceparentOf({ tracestate: ['a=b'] })).toBeNull();
});

describe.each([
  ['our envelope', { attributes: { project: 'p' } }],
  ['a CloudEvent', { specversion: '1.0', data: { project: 'p' } }],
])('%s', (_form, form) => {
  const event = {
    id: 'e',
    type: 'kaizen.metrics.recorded',
    source: 's',
    time: '2026-11-20T08:15:00Z',
    ...form,
  };

  test('brings its traceparent beside the envelope: no expression sees it, and its content is the same without', () => {
    const [traced, untraced] = [
      checkEnvelope({ ...event, traceparent: VALID }, ''),
      checkEnvelope(event, ''),
    ];
    if (!traced.ok || !untraced.ok) throw new Error('refused');
    expect([traced.traceparent, untraced.traceparent]).toEqual([VALID, null]);
    expect(traced.envelope).toEqual(untraced.envelope);
    expect(contentHash(traced.envelope.type, traced.envelope.attributes)).toEqual(
      contentHash(untraced.envelope.type, untraced.envelope.attributes),
    );
  });

  test.each(['nonsense', 7, {}])('is accepted where its traceparent is %s, without it', (traceparent) => {
    expect(checkEnvelope({ ...event, traceparent }, '')).toMatchObject({ ok: true, traceparent: null });
  });
});
