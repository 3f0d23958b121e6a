/** For the API, which serves before Temporal is connected. */
import { type TemporalSchedules, TemporalUnavailableError } from './temporal-schedules.ts';

export function lateTemporalSchedules(connected: () => TemporalSchedules | null): TemporalSchedules {
  const ask = async <T>(work: (schedules: TemporalSchedules) => Promise<T>): Promise<T> => {
    const schedules = connected();
    if (!schedules) throw new TemporalUnavailableError('Temporal is not connected yet', null);
    return work(schedules);
  };
  return {
    describe: (...given) => ask((schedules) => schedules.describe(...given)),
    apply: (...given) => ask((schedules) => schedules.apply(...given)),
    pause: (...given) => ask((schedules) => schedules.pause(...given)),
    unpause: (...given) => ask((schedules) => schedules.unpause(...given)),
    delete: (...given) => ask((schedules) => schedules.delete(...given)),
    list: (...given) => ask((schedules) => schedules.list(...given)),
  };
}
