/** Binds a value that stands in the definition. */
import { z } from 'zod';
import type { Resolver } from './resolver.ts';

const params = z.strictObject({ value: z.json().describe('What is bound, as it stands here') });

export const staticValue: Resolver<z.output<typeof params>> = {
  type: 'static',
  io: 'local',
  deterministic: true,
  params,
  output: () => true,
  resolve: (input) => input.params.value,
};
