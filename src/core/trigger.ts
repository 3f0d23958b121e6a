/** What starts a run, and the key that makes it one run (contract 6). */

export type RunTriggerKind = 'event' | 'schedule' | 'manual' | 'retry';

export const eventTriggerKey = (eventUid: string): string => `event:${eventUid}`;
export const manualTriggerKey = (key: string): string => `manual:${key}`;
export const retryTriggerKey = (runId: string, n: number): string => `retry:${runId}#${n}`;
/** `time`: RFC 3339 in UTC, to the second, as Temporal names the times of a schedule. */
export const scheduleTriggerKey = (time: string): string => `schedule:${time}`;
/** `time` as above: a backfill that is repeated finds its own runs. */
export const backfillTriggerKey = (time: string): string => manualTriggerKey(`backfill:${time}`);
