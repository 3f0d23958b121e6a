/** When `limits.max_tasks_per_hour` would first pause the definition, by the times of the inputs. What a pause would hold is not simulated. */
import type { BacktestReport } from './report.ts';

const HOUR_MS = 3_600_000;

export interface HourlyLimit {
  add(time: string, tasks: number): void;
  /** Null where it would not, or not yet. */
  pausesAt(): string | null;
}

export function createHourlyLimit(limit: number | undefined): HourlyLimit {
  let hour: { at: number; tasks: number }[] = [];
  let tasksOfHour = 0;
  let wouldPauseAt: string | null = null;
  return {
    add(time, tasks) {
      if (limit === undefined || tasks === 0 || wouldPauseAt !== null) return;
      const at = Date.parse(time);
      hour.push({ at, tasks });
      tasksOfHour += tasks;
      const over = hour.findIndex((one) => one.at > at - HOUR_MS);
      for (const one of hour.slice(0, over)) tasksOfHour -= one.tasks;
      if (over > 0) hour = hour.slice(over);
      if (tasksOfHour > limit) wouldPauseAt = time;
    },
    pausesAt: () => wouldPauseAt,
  };
}

/** `applied`: when the applied limit would have paused over what was recorded. */
export function hourlyLimitReport(
  limit: number | undefined,
  { now, applied }: { now: HourlyLimit; applied: HourlyLimit },
): BacktestReport['hourly_limit'] {
  if (limit === undefined) return null;
  const [at, before] = [now.pausesAt(), applied.pausesAt()];
  const is_new = at !== null && (before === null || Date.parse(at) < Date.parse(before));
  return { max_tasks_per_hour: limit, would_pause_at: at, is_new };
}
