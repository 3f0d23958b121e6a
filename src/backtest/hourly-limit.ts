/** When `limits.max_tasks_per_hour` would first pause the definition, by the times of the inputs. What a pause would hold is not simulated. */
import type { BacktestReport } from './report.ts';

const HOUR_MS = 3_600_000;

export function createHourlyLimit(limit: number | undefined) {
  let hour: { at: number; tasks: number }[] = [];
  let tasksOfHour = 0;
  let wouldPauseAt: string | null = null;
  return {
    add(time: string, tasks: number): void {
      if (limit === undefined || tasks === 0 || wouldPauseAt !== null) return;
      const at = Date.parse(time);
      hour.push({ at, tasks });
      tasksOfHour += tasks;
      const over = hour.findIndex((one) => one.at > at - HOUR_MS);
      for (const one of hour.slice(0, over)) tasksOfHour -= one.tasks;
      if (over > 0) hour = hour.slice(over);
      if (tasksOfHour > limit) wouldPauseAt = time;
    },
    report: (): BacktestReport['hourly_limit'] =>
      limit === undefined ? null : { max_tasks_per_hour: limit, would_pause_at: wouldPauseAt },
  };
}
