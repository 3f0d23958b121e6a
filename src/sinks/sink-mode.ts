/** Whether a run's specs are only recorded or really sent, and why (contract 3, `emit`). */
import type { TaskStatus } from '../store/task-spawn-log.ts';

export interface SinkMode {
  mode: 'audit' | 'live';
  /** Why it is `audit`; null where it is `live`. */
  reason: string | null;
}

export type DecideSinkMode = (definition: { emit: 'audit' | 'live' }) => SinkMode;

export function createSinkMode(sinkType: 'null' | 'issue-core'): DecideSinkMode {
  return ({ emit }) => {
    if (emit === 'audit') return { mode: 'audit', reason: 'the definition says emit: audit' };
    if (sinkType === 'null') return { mode: 'audit', reason: 'ISSUE_SINK_TYPE is null' };
    return { mode: 'audit', reason: 'no approved audit run of this content' };
  };
}

/** The null sink keeps a spec for the record and sends it nowhere. */
export const statusOfNewTask = ({ mode }: SinkMode): TaskStatus => (mode === 'audit' ? 'audited' : 'pending');
