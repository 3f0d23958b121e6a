/** An entry of the event type registry: `definitions/event-types/<type>.yaml` (contract 2). */
import { z } from 'zod';
import { EVENT_TYPE } from './definition.ts';

export const eventTypeSchema = z
  .strictObject({
    type: z
      .string()
      .regex(EVENT_TYPE, 'a dotted, lower-case name, as in kaizen.metrics.recorded')
      .describe('The name of the file, without .yaml; the NATS subject is `activity.` and this'),
    title: z.string().min(1).max(500).describe('One line for people'),
    owner: z.string().min(1).max(200).describe('Who answers for it'),
    attributes_schema: z
      .record(z.string(), z.json())
      .describe(
        'JSON Schema (2020-12) of the envelope’s attributes; patterns are RE2, references stay inside',
      ),
  })
  .describe('An event type');

export type EventType = z.output<typeof eventTypeSchema>;
