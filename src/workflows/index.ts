export { ActivityRun } from './activity-run.ts';
export { TaskExecutorWorkflow } from './task-executor.ts';
