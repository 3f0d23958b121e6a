/** `tasks discard`: pending tasks are never sent. */
import type { Command } from 'commander';
import type { Cli } from './cli.ts';
import { addPendingTasks } from './pending-tasks.ts';

export function addTasksDiscard(tasks: Command, cli: Cli): void {
  addPendingTasks(tasks, cli, 'discard', {
    description: 'put pending tasks aside for good: they are never sent',
    ask: (api, request) => api.discardTasks(request),
    wording: {
      nothing: 'Nothing to discard: no task is pending.',
      preview: (found) => `${found} would be discarded.`,
      done: (found) => `${found} discarded; they stay on record and are never sent.`,
      next: (filters) =>
        `To see them: activity-core tasks list --status discarded${filters === '--all' ? '' : ` ${filters}`}`,
    },
  });
}
