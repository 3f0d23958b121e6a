/** Whatever bytes come, under whatever subject and headers: one fate each, and no throw. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { decodeMessage, decodeMessages } from '../../src/bridge/decode.ts';
import { createAttributesValidator } from '../../src/core/attributes.ts';
import { QUARANTINE_REASONS, readEventId } from '../../src/core/envelope.ts';
import type { EventType } from '../../src/core/event-type.ts';
import { findUnstorable } from '../../src/core/storable.ts';
import type { Registry } from '../../src/definitions/applied-registry.ts';
import { useFuzzSeed } from '../setup/fuzz-seed.ts';

useFuzzSeed();

const eventType: EventType = parse(
  readFileSync('definitions/event-types/kaizen.metrics.recorded.yaml', 'utf8'),
);
const validate = createAttributesValidator(eventType);
const registry: Registry = {
  version: 1,
  eventTypes: [eventType],
  eventTypeProblems: new Map(),
  definitions: [],
  find: () => undefined,
  triggeredBy: () => [],
  attributesCheck: (type) => (type === eventType.type ? validate : null),
  revision: async () => null,
};

const SUBJECT = `activity.${eventType.type}`;
const NOW = new Date().toISOString();

const valid = {
  id: 'e-1',
  type: eventType.type,
  source: 'kaizen-agentic',
  time: NOW,
  attributes: { agent: 'coach', project: 'p', summary: { success_rate: 0.5 } },
};
const cloudEvent = { ...valid, specversion: '1.0', data: valid.attributes, attributes: undefined };

const HARD: unknown[] = [
  ...[null, true, '', '\u0000', '\ud800', '__proto__', 0, -0, 1e308, 2 ** 53, [], [[]], {}],
  ...[NOW, '0000-01-01T00:00:00Z', '9999-12-31T23:59:60Z', '2026-02-30T00:00:00Z', 'x'.repeat(201)],
  ...[{ constructor: { prototype: {} } }, JSON.parse('{"__proto__":{"agent":"coach"}}')],
];
const names = ['id', 'type', 'source', 'time', 'subject', 'schema_version', 'correlation_id', 'causation_id'];
const fields = fc.constantFrom(...names, 'attributes', 'specversion', 'data', 'data_base64', 'correlationid');
const anyValue = fc.oneof(
  fc.constantFrom(...HARD),
  fc.jsonValue({ depthSize: 'small' }),
  fc.string({ unit: 'binary' }),
);

/** An event with some of its fields replaced by what does not belong there. */
const mutated = fc
  .tuple(fc.constantFrom(valid, cloudEvent), fc.array(fc.tuple(fields, anyValue), { maxLength: 3 }))
  .map(([event, changes]) => JSON.stringify({ ...event, ...Object.fromEntries(changes) }));

const inAttributes = fc
  .tuple(fc.constantFrom('agent', 'project', 'summary', 'more'), anyValue)
  .map(([name, value]) => JSON.stringify({ ...valid, attributes: { ...valid.attributes, [name]: value } }));

/** An event with some of its bytes replaced, removed or repeated. */
const damaged = fc
  .tuple(
    mutated,
    fc.array(fc.tuple(fc.nat(400), fc.uint8Array({ maxLength: 4 }), fc.nat(8)), { maxLength: 4 }),
  )
  .map(([text, damages]) => {
    let bytes = Buffer.from(text);
    for (const [at, put, cut] of damages)
      bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + cut)]);
    return bytes;
  });

const anyBytes = fc.oneof(
  mutated.map((text) => Buffer.from(text)),
  inAttributes.map((text) => Buffer.from(text)),
  damaged,
  fc.uint8Array({ maxLength: 100 }),
  fc.nat(400).map((depth) => Buffer.from(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)),
);

const anyMessage = fc.record({
  subject: fc.oneof(
    fc.constant(SUBJECT),
    fc.string().map((text) => `activity.${text}`),
  ),
  headers: fc.dictionary(fc.string(), fc.array(fc.string())),
  bytes: anyBytes,
  stream_seq: fc.nat(),
  stream_timestamp: fc.constant(Date.parse(NOW) * 1000),
});

test('any message is a candidate that can be stored, or refused for a known reason with what is wrong', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const decoded = decodeMessage(message, registry, 400);
      if ('reason' in decoded) {
        expect(QUARANTINE_REASONS).toContain(decoded.reason);
        expect(decoded.violations.length).toBeGreaterThan(0);
        const id = readEventId(message.bytes);
        expect(id === null || (id.length <= 200 && findUnstorable(id) === null)).toBe(true);
      } else {
        expect(findUnstorable(decoded.envelope)).toBeNull();
        expect(decoded.envelope.type).toBe(eventType.type);
      }
    }),
    { numRuns: 2_000, interruptAfterTimeLimit: 4_000 },
  );
});

test('each message of a batch has one fate, whatever its neighbours are', () => {
  fc.assert(
    fc.property(fc.array(anyMessage, { maxLength: 30 }), (messages) => {
      const { candidates, refused } = decodeMessages(messages, registry, 400);
      expect([...candidates, ...refused].map(({ message }) => message)).toHaveLength(messages.length);
      expect(new Set([...candidates, ...refused].map(({ message }) => message))).toEqual(new Set(messages));
    }),
    { numRuns: 50, interruptAfterTimeLimit: 4_000 },
  );
});
