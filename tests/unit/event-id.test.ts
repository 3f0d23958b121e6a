/** The id of an event that is refused: as far as its bytes can be read. */
import { expect, test } from 'vitest';
import { readEventId } from '../../src/core/envelope.ts';

const read = (content: string) => readEventId(Buffer.from(content));

test.each([
  ['an envelope that lacks everything else', '{"id":"e-1"}'],
  ['a CloudEvent without data', '{"specversion":"1.0","id":"e-1"}'],
  ['one that is too deep', `{"id":"e-1","attributes":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`],
  ['one that is too large', JSON.stringify({ id: 'e-1', attributes: { text: 'x'.repeat(300_000) } })],
  ['one that cannot be stored', '{"id":"e-1","source":"\\u0000"}'],
])('is read from %s', (_what, content) => {
  expect(read(content)).toBe('e-1');
});

test.each([
  ['what is no JSON', '{"id":"e-1"'],
  ['a list', '[{"id":"e-1"}]'],
  ['nothing', 'null'],
  ['an envelope without one', '{"source":"s"}'],
  ['a number', '{"id":1}'],
  ['an empty one', '{"id":""}'],
  ['one that is too long', JSON.stringify({ id: 'x'.repeat(201) })],
  ['one that cannot be stored', '{"id":"e\\u0000"}'],
  ['more than a mebibyte', JSON.stringify({ id: 'e-1', text: 'x'.repeat(1_048_576) })],
])('is not known of %s', (_what, content) => {
  expect(read(content)).toBeNull();
});
