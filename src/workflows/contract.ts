/** What the outside knows of the workflows: names, ids and input types. Only types and constants live here. */

export const ACTIVITY_RUN = 'ActivityRun';

/** The id of an ActivityRun workflow is its dispatch's id: started twice, it is the same workflow. */
export interface ActivityRunInput {
  dispatch_id: string;
}

export interface CloseInput {
  dispatch_id: string;
  /** The code of the failure that `prepare` gave up with. */
  code: string;
}

/** References only: envelopes, contexts and details of errors stay in PostgreSQL. */
export interface Activities {
  /** Decides and commits every run of the dispatch. Run again, it finds its own rows. */
  prepare(input: ActivityRunInput): Promise<void>;
  /** Fails the runs that `prepare` could not make. */
  close(input: CloseInput): Promise<void>;
}
