/** `serve`: the roles of one process, against servers that somebody else runs. */
import { ConfigurationError, readServiceConfig } from '../config.ts';
import { ROLES, type Role, startService } from '../service/service.ts';
import { createLogger } from '../telemetry/logger.ts';
import { MIGRATIONS_DIR } from './folders.ts';
import { onStopSignal } from './stop-signal.ts';

export async function serveCommand(options: { roles: string }): Promise<number> {
  const roles = parseRoles(options.roles);
  const needed = roles.includes('subscriber')
    ? (['DATABASE_URL', 'NATS_URL', 'issue_core'] as const)
    : (['DATABASE_URL', 'issue_core'] as const);
  const config = readServiceConfig(needed);
  const logger = createLogger(config.LOG_LEVEL);
  const stopping = onStopSignal();
  const service = await startService({ config, roles, logger, migrationsDir: MIGRATIONS_DIR });
  logger.info({ roles, url: service.url }, 'started');
  if (!config.ADMIN_TOKEN && !['127.0.0.1', '::1', 'localhost'].includes(config.ADMIN_HOST)) {
    logger.warn({ host: config.ADMIN_HOST }, 'the API listens beyond loopback without ADMIN_TOKEN');
  }
  service.ready.then(
    (isReady) => isReady && logger.info({ roles }, 'ready'),
    (error: unknown) => logger.debug({ err: error }, 'never became ready'),
  );
  const failure = await Promise.race([stopping.requested, service.failed.catch((error: Error) => error)]);
  if (failure) logger.fatal({ err: failure }, 'activity-core cannot go on');
  await service.stop();
  stopping.release();
  return failure ? 1 : 0;
}

function parseRoles(text: string): Role[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  const unknown = names.filter((name) => !(ROLES as readonly string[]).includes(name));
  if (unknown.length > 0 || names.length === 0) {
    throw new ConfigurationError([
      `--roles is \`${text}\`; expected one or more of ${ROLES.join(', ')}, with commas`,
    ]);
  }
  return ROLES.filter((role) => names.includes(role));
}
