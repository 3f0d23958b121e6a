/** Why the address for health and the API could not be opened, in the words of its settings. */
import { ConfigurationError, type ServiceConfig } from '../config.ts';

export function listenFault(error: unknown, { ADMIN_HOST, ADMIN_PORT }: ServiceConfig): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'EADDRINUSE')
    return new ConfigurationError([`ADMIN_PORT is ${ADMIN_PORT}, which is in use; expected a free port`]);
  if (code === 'EACCES')
    return new ConfigurationError([`ADMIN_PORT is ${ADMIN_PORT}, which this user may not open`]);
  if (code === 'ENOTFOUND' || code === 'EADDRNOTAVAIL') {
    return new ConfigurationError([`ADMIN_HOST is \`${ADMIN_HOST}\`, which is no address of this machine`]);
  }
  return error;
}
