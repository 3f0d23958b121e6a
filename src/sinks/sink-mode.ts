/** Whether a run's specs are only recorded or really sent, and why (contract 3, `emit`). */
import type { TaskStatus } from '../store/task-spawn-log.ts';

export interface SinkMode {
  mode: 'audit' | 'live';
  /** Why it is `audit`; null where it is `live`. */
  reason: string | null;
}

/** `approved`: the latest verdict on the same content is an approval. */
export type DecideSinkMode = (revision: {
  definition: { emit: 'audit' | 'live' };
  approved: boolean;
}) => SinkMode;

export const SAYS_AUDIT = 'the definition says emit: audit';

export function createSinkMode(sinkType: 'null' | 'issue-core'): DecideSinkMode {
  return ({ definition, approved }) => {
    if (definition.emit === 'audit') return { mode: 'audit', reason: SAYS_AUDIT };
    if (sinkType === 'null') return { mode: 'audit', reason: 'ISSUE_SINK_TYPE is null' };
    if (!approved) return { mode: 'audit', reason: 'no approved audit run of this content' };
    return { mode: 'live', reason: null };
  };
}

/** The null sink keeps a spec for the record and sends it nowhere. */
export const statusOfNewTask = ({ mode }: SinkMode): TaskStatus => (mode === 'audit' ? 'audited' : 'pending');
