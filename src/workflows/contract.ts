/** What the outside knows of the workflows: names, ids and input types. Only types and constants live here. */

export const ACTIVITY_RUN = 'ActivityRun';
export const EMIT_TASKS = 'EmitTasks';
export const COLLECT_EVIDENCE = 'CollectEvidence';

/** One emission of a dispatch: started twice, it is the same workflow. */
export const emissionWorkflowId = (dispatchId: string): string => `emit:${dispatchId}`;
/** Its activity has a queue of its own: an issue-core that hangs does not hold up anything else. */
export const emissionTaskQueue = (taskQueue: string): string => `${taskQueue}-emit`;

/** So have the runs whose model is asked: slow models do not keep reports, evidence and remote sources waiting. */
export const modelTaskQueue = (taskQueue: string): string => `${taskQueue}-model`;

/** What looks after a tick's run when it is over, one for each dispatch. */
export const evidenceWorkflowId = (dispatchId: string): string => `evidence:${dispatchId}`;

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

export interface Admitted extends DispatchInput {
  /** A schedule's own start for a time on its grid, not one by hand. Not there in histories of earlier versions. */
  is_tick?: boolean;
}

/** References only: envelopes, contexts and details of errors stay in PostgreSQL. */
export interface LocalActivities {
  /** Decides what a schedule's start is: a tick, one that is too late, or a run by hand. Again, it finds its own dispatch. */
  admit(input: AdmitInput): Promise<Admitted>;
  /**
   * Decides and commits every run of the dispatch. Run again, it finds its own rows.
   * `remote`, `model`: nothing was done, the definition asks somebody else, or a model; `prepareRemote` does it.
   * `emit`: the runs are committed, and specs are to be sent or reports to be filed.
   */
  prepare(input: DispatchInput): Promise<'remote' | 'model' | 'emit' | undefined>;
  /** Fails the runs that `prepare` could not make. */
  close(input: CloseInput): Promise<void>;
}

export interface RemoteActivities {
  /** `prepare` for definitions with remote context sources or instructions: it may take minutes, so it heartbeats. */
  prepareRemote(input: DispatchInput): Promise<'emit' | undefined>;
  /** Files the reports of the dispatch's runs and ends those runs. Fails, to be tried again, while some is left. */
  report(input: DispatchInput): Promise<void>;
  /** Keeps what can be found out about the dispatch's tick. Fails, to be tried again, while its run is not over. */
  collectEvidence(input: DispatchInput): Promise<void>;
}

/** On the queue of the model's. */
export type ModelActivities = Pick<RemoteActivities, 'prepareRemote'>;

export interface EmissionActivities {
  /**
   * Sends what the dispatch's runs have pending and ends those runs. Fails, to be tried again, while some is left.
   * `report`: some of them are to be reported, and end with that.
   */
  emit(input: DispatchInput): Promise<'report' | undefined>;
}

export type Activities = LocalActivities & RemoteActivities;
