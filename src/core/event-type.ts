/** An entry of the event type registry: `definitions/event-types/<type>.yaml` (contract 2). */
import { z } from 'zod';
import { EVENT_TYPE } from './definition.ts';

export const eventTypeSchema = z
  .strictObject({
    type: z.string().regex(EVENT_TYPE, 'dotted and lower case, as in kaizen.metrics.recorded'),
    title: z.string().min(1).max(500),
    owner: z.string().min(1).max(200),
    attributes_schema: z.record(z.string(), z.json()).describe('JSON Schema of the envelope’s attributes'),
  })
  .describe('An event type');

export type EventType = z.output<typeof eventTypeSchema>;
