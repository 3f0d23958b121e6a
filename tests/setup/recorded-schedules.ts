/** Stands for Temporal where a test needs to know only what it was asked to do. */
import { type TemporalSchedules, TemporalUnavailableError } from '../../src/schedules/temporal-schedules.ts';

export interface RecordedSchedules extends TemporalSchedules {
  /** As in `pause some-definition: activity-core: the note`. */
  asked: string[];
  /** Temporal is away: nothing is answered. */
  isAway: boolean;
}

export function createRecordedSchedules(): RecordedSchedules {
  const asked: string[] = [];
  async function answer(question: string): Promise<boolean> {
    if (schedules.isAway) throw new TemporalUnavailableError('Temporal does not answer: it is away', null);
    asked.push(question);
    return true;
  }
  const schedules: RecordedSchedules = {
    asked,
    isAway: false,
    describe: async () => null,
    apply: () => Promise.reject(new Error('this stand-in applies nothing')),
    pause: (definitionId, note) => answer(`pause ${definitionId}: ${note}`),
    unpause: (definitionId, note) => answer(`unpause ${definitionId}: ${note}`),
    delete: (definitionId) => answer(`delete ${definitionId}`),
    list: async () => [],
  };
  return schedules;
}
