/** `tasks resume`: pending tasks are sent after all. */
import type { Command } from 'commander';
import type { Cli } from './cli.ts';
import { addPendingTasks } from './pending-tasks.ts';

export function addTasksResume(tasks: Command, cli: Cli): void {
  addPendingTasks(tasks, cli, 'resume', {
    description: 'send what a 401, a rollback or a give-up left pending',
    ask: (api, request) => api.resumeTasks(request),
    wording: {
      nothing:
        'Nothing to send: no run that is over has pending tasks. Those of running ones are sent anyway.',
      preview: (found) => `${found} would be sent.`,
      done: (found) => `${found} will be sent now.`,
      next: (filters) =>
        `What became of them: activity-core tasks list${filters === '--all' ? '' : ` ${filters}`}`,
    },
  });
}
