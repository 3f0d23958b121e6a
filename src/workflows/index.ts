export { ActivityRun } from './activity-run.ts';
export { CollectEvidence } from './collect-evidence.ts';
export { EmitTasks } from './emit-tasks.ts';
export { TaskExecutorWorkflow } from './task-executor.ts';
