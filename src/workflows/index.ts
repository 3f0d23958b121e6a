export { ActivityRun } from './activity-run.ts';
export { EmitTasks } from './emit-tasks.ts';
export { TaskExecutorWorkflow } from './task-executor.ts';
