/** Runs whose model is a function of the test's, done in one process as the workflow would do them. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { pino } from 'pino';
import type { Asked, AskModel, AskModelInput } from '../../src/activities/ask-model.ts';
import { createPrepare } from '../../src/activities/prepare.ts';
import { createPrepareRemote } from '../../src/activities/prepare-remote.ts';
import type { StartQueued } from '../../src/bridge/start-dispatches.ts';
import type { InstructionRecord } from '../../src/core/instruction-record.ts';
import type { Json } from '../../src/core/json.ts';
import { createAppliedRegistry } from '../../src/definitions/applied-registry.ts';
import { createResolvers, type Resolvers } from '../../src/resolvers/registry.ts';
import { createSinkMode } from '../../src/sinks/sink-mode.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import type { TestApi } from './api.ts';

export interface ModelRuns {
  /** The first step of its workflow. */
  prepare(dispatchId: string): Promise<unknown>;
  /** One attempt of the second; the code of what it fails with, null where it is done. `attempt`: which one it is. */
  attempt(dispatchId: string, options?: { attempt?: number; isCancelled?: boolean }): Promise<string | null>;
}

export interface ModelRunsOptions {
  resolvers?: Resolvers;
  startQueued?: StartQueued;
}

export function createModelRuns(
  { pool }: TestApi,
  askModel: AskModel,
  { resolvers = createResolvers(), startQueued = async () => undefined }: ModelRunsOptions = {},
): ModelRuns {
  const deps = {
    pool,
    registry: createAppliedRegistry(pool, resolvers),
    resolvers,
    askModel,
    sinkMode: createSinkMode('null'),
    pauseExceeded: async () => undefined,
    startQueued,
    metrics: createMetrics(),
    logger: pino({ level: 'silent' }),
  };
  return {
    prepare: (dispatch_id) => new MockActivityEnvironment().run(createPrepare(deps), { dispatch_id }),
    async attempt(dispatch_id, { attempt = 3, isCancelled = false } = {}) {
      const environment = new MockActivityEnvironment({ attempt });
      if (isCancelled) environment.cancel('WORKER_SHUTDOWN');
      const done = environment.run(createPrepareRemote(deps), { dispatch_id });
      return done.then(
        () => null,
        (error: unknown) => (error as { type: string }).type,
      );
    },
  };
}

const recordOf = ({ instruction, prompt }: AskModelInput): Omit<InstructionRecord, 'status' | 'output'> => ({
  instruction_id: instruction.id,
  review_required: instruction.review_required,
  reused: false,
  prompt_hash: prompt.prompt_hash,
  answers: [],
});

export const answered = (input: AskModelInput, output: Json): Asked => ({
  kind: 'answered',
  output,
  record: { ...recordOf(input), status: 'answered', output },
});

export const unavailable = (input: AskModelInput): Asked => ({
  kind: 'unavailable',
  error: { code: 'instruction_failed', message: 'the model does not answer', details: {} },
  retry_after_ms: null,
  record: { ...recordOf(input), status: 'failed', output: null },
});
