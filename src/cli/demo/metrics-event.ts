/** The event that most scenes send, and the definition that it fires. */
import type { RunDetail } from '../../clients/activity-core-api-shapes.ts';
import { eventually, hold, type Stage } from './scene.ts';

export const TYPE = 'kaizen.metrics.recorded';
export const SUBJECT = `activity.${TYPE}`;
export const DEFINITION = 'low-success-rate-review';

export interface MetricsEvent {
  id: string;
  success_rate: number;
  agent?: string;
  type?: string;
}

export function metricsEvent({ startedAt }: Stage, event: MetricsEvent): string {
  const { id, success_rate, agent = 'coach', type = TYPE } = event;
  return JSON.stringify({
    id,
    type,
    source: 'demo',
    time: startedAt,
    attributes: { agent, project: 'kaizen-agentic', summary: { success_rate } },
  });
}

/** Of an event that fires one definition; failed or completed. */
export async function endedRun({ api, signal }: Stage, eventId: string): Promise<RunDetail> {
  const runs = await eventually(`a finished run of ${eventId}`, signal, async () => {
    const { items } = await api.listRuns({ event_id: eventId });
    return items.length > 0 && items.every(({ status }) => status !== 'running') ? items : null;
  });
  hold(runs.length === 1, 'exactly one run', runs);
  const run = await api.getRun(runs[0]?.run_id ?? '');
  hold(run.definition_id === DEFINITION, `a run of ${DEFINITION}`, run.definition_id);
  return run;
}

export async function completedRun(stage: Stage, eventId: string): Promise<RunDetail> {
  const run = await endedRun(stage, eventId);
  hold(run.status === 'completed', 'a completed run', run.error ?? run.status);
  return run;
}
