/** The sink of audit: what a definition would have done is recorded, and nobody else hears of it. No I/O. */
import type { Sink } from './sink.ts';

export function createNullSink(): Sink {
  return {
    type: 'null',
    create: async () => ({ outcome: 'audited' }),
    findOpen: async () => ({ outcome: 'found', refs: [] }),
    comment: async () => ({ outcome: 'commented' }),
  };
}
