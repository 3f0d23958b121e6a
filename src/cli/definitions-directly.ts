/** Plan and apply without an API. Apart from the commands, because Temporal's client is slow to load. */
import type { Config } from '../config.ts';
import { applyPlannedFolder, type FolderPlan, planFolder } from '../schedules/plan-folder.ts';
import { createLogger } from '../telemetry/logger.ts';
import { withFolder } from './definitions-folder.ts';

type DirectConfig = Config & { DATABASE_URL: string };

export function planDirectly(config: DirectConfig, now: Date): Promise<FolderPlan> {
  return withFolder(config, createLogger(config.LOG_LEVEL), (folder) => planFolder(folder, now.getTime()));
}

export function applyDirectly(config: DirectConfig, now: Date): Promise<FolderPlan> {
  return withFolder(config, createLogger(config.LOG_LEVEL), (folder) =>
    applyPlannedFolder(folder, now.getTime()),
  );
}
