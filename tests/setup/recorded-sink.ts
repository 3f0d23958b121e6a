/** Stands for issue-core where a test needs to know only what it was asked, and nothing may be created. */
import type { Sink, SinkFault } from '../../src/sinks/sink.ts';

export interface RecordedSink extends Sink {
  /** As in `findOpen some-key`. */
  asked: string[];
  /** The open tasks by their dedupe key. */
  open: Map<string, string[]>;
  /** What every question is answered with. */
  fault: SinkFault | null;
  reset(): void;
}

export function createRecordedSink(): RecordedSink {
  const refuse = () => Promise.reject(new Error('this stand-in creates nothing'));
  const sink: RecordedSink = {
    type: 'issue-core',
    asked: [],
    open: new Map(),
    fault: null,
    create: refuse,
    comment: refuse,
    async findOpen(key) {
      sink.asked.push(`findOpen ${key}`);
      if (sink.fault) return { outcome: 'unauthorized', fault: sink.fault };
      return { outcome: 'found', refs: sink.open.get(key) ?? [] };
    },
    reset() {
      sink.asked = [];
      sink.open.clear();
      sink.fault = null;
    },
  };
  return sink;
}
