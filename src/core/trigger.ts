/** What starts a run, and the key that makes it one run (contract 6). */

export type RunTriggerKind = 'event' | 'schedule' | 'manual' | 'retry';

export const eventTriggerKey = (eventUid: string): string => `event:${eventUid}`;
export const manualTriggerKey = (key: string): string => `manual:${key}`;
export const retryTriggerKey = (runId: string, n: number): string => `retry:${runId}#${n}`;
