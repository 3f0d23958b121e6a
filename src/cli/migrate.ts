/** `migrate`: brings the database to this version, and the service's role to its privileges; safe to run twice and twice at once. */
import { readServiceConfig } from '../config.ts';
import { migrate } from '../store/migrate.ts';
import { createPool } from '../store/pool.ts';
import { grantServiceRole } from '../store/service-role.ts';
import { createLogger } from '../telemetry/logger.ts';
import { MIGRATIONS_DIR } from './folders.ts';

export async function migrateCommand({ serviceRole }: { serviceRole?: string }): Promise<number> {
  const config = readServiceConfig(['DATABASE_URL']);
  const pool = createPool(config.DATABASE_URL, createLogger(config.LOG_LEVEL), { max: 1 });
  try {
    const applied = await migrate(pool, MIGRATIONS_DIR);
    console.log(
      applied.length > 0 ? `Applied ${applied.join(', ')}.` : 'Nothing to apply: the database is up to date.',
    );
    if (serviceRole !== undefined) {
      await grantServiceRole(pool, serviceRole);
      console.log(`${serviceRole} has the privileges of the service, and no others.`);
    }
    return 0;
  } finally {
    await pool.end();
  }
}
