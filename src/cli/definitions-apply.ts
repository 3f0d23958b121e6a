/** `definitions apply`: the folder's definitions and event types become the applied ones. */
import { readServiceConfig } from '../config.ts';
import { applyFolder, InvalidDefinitionsError } from '../definitions/apply-folder.ts';
import { createPool } from '../store/pool.ts';
import { createLogger } from '../telemetry/logger.ts';

export async function applyCommand(options: { json: boolean }): Promise<number> {
  const config = readServiceConfig(['DATABASE_URL']);
  const pool = createPool(config.DATABASE_URL, createLogger(config.LOG_LEVEL), { max: 1 });
  try {
    const applied = await applyFolder(pool, config.DEFINITIONS_DIR);
    if (options.json) console.log(JSON.stringify({ ...applied, errors: [] }, null, 2));
    else if (applied.changes.length === 0 && applied.event_types.length === 0)
      console.log('Nothing to apply: definitions are in step.');
    for (const { action, definition_id } of options.json ? [] : applied.changes)
      console.log(`${action.padEnd(6)}  ${definition_id}`);
    for (const type of options.json ? [] : applied.event_types) console.log(`event type  ${type}`);
    return 0;
  } catch (error) {
    if (!(error instanceof InvalidDefinitionsError)) throw error;
    console.log(
      options.json
        ? JSON.stringify({ changes: [], event_types: [], errors: error.errors }, null, 2)
        : error.message,
    );
    return 1;
  } finally {
    await pool.end();
  }
}
