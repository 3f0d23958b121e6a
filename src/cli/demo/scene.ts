/** A scene does something to the instance and looks what becomes of it. It holds, or throws NotHeld. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ActivityCoreApi } from '../../clients/activity-core-api.ts';
import type { PlanAnswer } from '../../clients/activity-core-api-plan.ts';
import type { JsonObject } from '../../core/json.ts';
import type { IssueCore } from './issue-core.ts';

export interface Stage {
  api: ActivityCoreApi;
  /** Acknowledged by JetStream, as `publish` does it. */
  publish(subject: string, payload: string): Promise<void>;
  /** Plain NATS, without an acknowledgement: what any client can do. */
  publishPlainly(subject: string, payload: string): Promise<void>;
  /** RFC 3339: the time of the events, so that one that is sent twice is the same to the last letter. */
  startedAt: string;
  /** The instance's sample engagement: a folder of repositories, and who of them takes part. */
  engagement: { reposRoot: string; roster: string };
  issueCore: IssueCore;
  /** Changes that line in the demo's copy of the definition and applies it. Resolves with what the plan says of it. @throws NotHeld */
  setEmit(definitionId: string, emit: 'audit' | 'live'): Promise<PlanAnswer['changes'][number]>;
  /** Ends the demo. */
  signal: AbortSignal;
}

export interface Told {
  happened: string[];
  why: string[];
  /** Path and query of the request that shows it. */
  seeAt: string;
  /** Its body, where it is a POST. */
  seeWith?: JsonObject;
}

export interface Scene {
  title: string;
  /** What is sent or changed, in one line. */
  given: string;
  play(stage: Stage): Promise<Told>;
}

/** `message`: what was expected and what was found. */
export class NotHeld extends Error {}

const PATIENCE_MS = 30_000;
const PAUSE_MS = 100;

/** Looks again and again until there is something. @throws NotHeld */
export async function eventually<Found>(
  expected: string,
  signal: AbortSignal,
  look: () => Promise<Found | null | undefined>,
): Promise<Found> {
  for (const giveUpAt = Date.now() + PATIENCE_MS; Date.now() < giveUpAt; ) {
    const found = await look();
    if (found) return found;
    await sleep(PAUSE_MS, undefined, { signal });
  }
  throw new NotHeld(`expected ${expected} within ${PATIENCE_MS / 1000} s`);
}

export function hold(condition: boolean, expected: string, found: unknown): asserts condition {
  if (!condition) throw new NotHeld(`expected ${expected}; found ${JSON.stringify(found)}`);
}
