/** docs/integrations/events.md: its examples are accepted, or refused for the reason that it gives. */
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createAttributesValidator } from '../../src/core/attributes.ts';
import { checkEvent, decodeEnvelope, QUARANTINE_REASONS } from '../../src/core/envelope.ts';
import { codes, matches, read, rows, section } from './markdown.ts';

describe('docs/integrations/events.md', () => {
  const [envelope, cloudEvent, activityStream] = matches(
    read('docs/integrations/events.md'),
    /^```json\n(.*?)^```$/gms,
  );
  const eventType = parse(read('definitions/event-types/kaizen.metrics.recorded.yaml'));
  const validate = createAttributesValidator(eventType);
  const refusals = rows(section('docs/integrations/events.md', '## Quarantine'));

  function refusalOf(text: string) {
    const decoded = decodeEnvelope(new TextEncoder().encode(text), '2026-11-20T08:15:00Z');
    if (!decoded.ok) return decoded;
    return checkEvent(decoded.envelope, {
      subject: 'activity.kaizen.metrics.recorded',
      attributesCheck: (type) => (type === eventType.type ? validate : null),
      eventTypes: [eventType],
      now: Date.parse('2026-11-21T00:00:00Z'),
      dedupeDays: 400,
    });
  }

  test('both forms of its example are accepted', () => {
    expect([refusalOf(envelope ?? ''), refusalOf(cloudEvent ?? '')]).toEqual([null, null]);
  });

  test('its stream is JSON', () => {
    expect(JSON.parse(activityStream ?? '')).toMatchObject({ name: 'ACTIVITY', retention: 'workqueue' });
  });

  test('it names each reason of quarantine, and no other', () => {
    const named = new Set(refusals.flatMap(([cell]) => codes(cell)));
    expect([...named].toSorted()).toEqual([...QUARANTINE_REASONS].toSorted());
  });

  const changes = refusals
    .filter(([, example]) => example?.startsWith('`"'))
    .filter(([reason]) => reason !== '`id_conflict`');

  test.each(changes)('%s is what becomes of %s', (reason, example, violation) => {
    const [pointer, message] = codes(violation);
    // Of two members with one name, the later counts.
    const changed = `${(envelope ?? '').trimEnd().slice(0, -1)}, ${codes(example)[0]} }`;
    expect(refusalOf(changed)).toMatchObject({
      reason: codes(reason)[0],
      violations: [{ pointer, message }],
    });
  });

  test('it has an example for most reasons', () => {
    expect(changes.length).toBeGreaterThanOrEqual(8);
  });
});
