/** Binds the attributes of the event that started the run. */
import { z } from 'zod';
import { type Resolver, ResolverError } from './resolver.ts';

const params = z.strictObject({});

export const eventPayload: Resolver<z.output<typeof params>> = {
  type: 'event-payload',
  io: 'local',
  deterministic: true,
  triggers: ['event', 'manual'],
  params,
  output: (_params, eventType) => eventType?.attributes_schema ?? true,
  resolve({ event }) {
    if (event === null)
      throw new ResolverError('event_missing', 'event-payload needs an event, the run has none');
    return event.attributes ?? {};
  },
};
