/** What the outside knows of the workflows: names, ids and input types. Only types and constants live here. */

export const ACTIVITY_RUN = 'ActivityRun';
export const EMIT_TASKS = 'EmitTasks';

/** One emission of a dispatch: started twice, it is the same workflow. */
export const emissionWorkflowId = (dispatchId: string): string => `emit:${dispatchId}`;
/** Its activity has a queue of its own: an issue-core that hangs does not hold up anything else. */
export const emissionTaskQueue = (taskQueue: string): string => `${taskQueue}-emit`;

/** The id of such a workflow is its dispatch's id: started twice, it is the same workflow. */
export interface DispatchInput {
  dispatch_id: string;
}

/** From a schedule's action. The revision is the one that was applied last when the action was taken. */
export interface ScheduledRunInput {
  definition_id: string;
  definition_hash: string;
}

export type ActivityRunInput = DispatchInput | ScheduledRunInput;

export interface AdmitInput extends ScheduledRunInput {
  /** Nominal, RFC 3339 in UTC. A trigger by hand and a backfill have one as well. */
  scheduled_for: string;
  workflow_id: string;
  /** Of the first run in the chain: the same after a reset. */
  first_workflow_run_id: string;
  workflow_started_at: string;
}

export interface CloseInput {
  dispatch_id: string;
  /** The code of the failure that `prepare` gave up with. */
  code: string;
}

/** References only: envelopes, contexts and details of errors stay in PostgreSQL. */
export interface LocalActivities {
  /** Decides what a schedule's start is: a tick, one that is too late, or a run by hand. Again, it finds its own dispatch. */
  admit(input: AdmitInput): Promise<DispatchInput>;
  /**
   * Decides and commits every run of the dispatch. Run again, it finds its own rows.
   * `remote`: nothing was done, the definition asks somebody else for its context; `prepareRemote` does it.
   * `emit`: specs are committed that are to be sent.
   */
  prepare(input: DispatchInput): Promise<'remote' | 'emit' | undefined>;
  /** Fails the runs that `prepare` could not make. */
  close(input: CloseInput): Promise<void>;
}

export interface RemoteActivities {
  /** `prepare` for definitions with remote context sources: it may take minutes, so it heartbeats. */
  prepareRemote(input: DispatchInput): Promise<'emit' | undefined>;
}

export interface EmissionActivities {
  /** Sends what the dispatch's runs have pending and ends those runs. Fails, to be tried again, while some is left. */
  emit(input: DispatchInput): Promise<void>;
}

export type Activities = LocalActivities & RemoteActivities;
