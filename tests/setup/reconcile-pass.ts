/** A pass of the reconciler against a Temporal that says the same of every workflow. */
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { pino } from 'pino';
import { inject, vi } from 'vitest';
import { createReconcile } from '../../src/bridge/reconcile.ts';
import type { TestApi } from './api.ts';

/** Gives the dispatches that it started. */
export async function reconcilePass(
  { pool, metrics }: TestApi,
  status: 'RUNNING' | 'TERMINATED',
): Promise<string[]> {
  const { temporal_address: address } = inject('servers');
  const workflows = new Client({ connection: Connection.lazy({ address }) }).workflow;
  const getHandle = workflows.getHandle.bind(workflows);
  vi.spyOn(workflows, 'getHandle').mockImplementation((id: string): WorkflowHandle => {
    return Object.assign(getHandle(id), { describe: async () => ({ status: { name: status }, raw: {} }) });
  });
  const started: string[] = [];
  const startDispatch = async (id: string) => void started.push(id);
  const startEmission = async () => undefined;
  const logger = pino({ level: 'silent' });
  await createReconcile({ pool, workflows, startDispatch, startEmission, metrics, logger })();
  return started;
}
