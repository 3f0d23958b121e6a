/** Contract 4: another address than loopback without ADMIN_TOKEN warns. No server is needed for it to listen. */
import { expect, test } from 'vitest';
import { spawnService } from '../setup/service-process.ts';
import { until } from '../setup/until.ts';

const WARNING = 'the API listens beyond loopback without ADMIN_TOKEN';
const AWAY = {
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing',
  NATS_URL: 'nats://127.0.0.1:1',
  TEMPORAL_ADDRESS: '127.0.0.1:1',
};

test('beyond loopback without ADMIN_TOKEN it warns, and with one or on loopback it does not', async () => {
  const logOf = async (environment: Record<string, string>) => {
    await using service = await spawnService({ environment: { ...AWAY, ...environment } });
    await until('it waits', async () => service.log().includes('waiting for PostgreSQL'));
    return service.log();
  };
  expect(await logOf({ ADMIN_HOST: '0.0.0.0' })).toContain(WARNING);
  expect(await logOf({ ADMIN_HOST: '0.0.0.0', ADMIN_TOKEN: 'a-token' })).not.toContain(WARNING);
  expect(await logOf({})).not.toContain(WARNING);
});
