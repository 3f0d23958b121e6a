import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { resolveApiAddress, resolveNatsAddress } from '../../src/cli/address.ts';
import { readDevFile } from '../../src/cli/dev-file.ts';

const none = { option: undefined, environment: undefined, devFile: async () => null };
const dev = { api_url: 'http://127.0.0.1:9001', nats_url: 'nats://127.0.0.1:9002', pid: 1 };
const running = { ...none, devFile: async () => dev };

describe('the API that is asked', () => {
  test('is that of --api before all others', async () => {
    const given = { ...running, option: 'http://one:1/', environment: 'http://two:2' };
    expect(await resolveApiAddress(given)).toEqual({ url: 'http://one:1', origin: '--api' });
  });

  test('is that of ACTIVITY_CORE_API before the running dev instance', async () => {
    const given = { ...running, environment: 'https://two:2/core/' };
    expect(await resolveApiAddress(given)).toEqual({
      url: 'https://two:2/core',
      origin: 'ACTIVITY_CORE_API',
    });
  });

  test('is that of the running dev instance before the default', async () => {
    expect((await resolveApiAddress(running)).url).toBe('http://127.0.0.1:9001');
    expect((await resolveApiAddress(none)).url).toBe('http://127.0.0.1:8080');
  });

  test.each(['localhost:8080', 'ftp://host', 'nonsense'])('%s is refused', async (option) => {
    await expect(resolveApiAddress({ ...none, option })).rejects.toThrow(
      `--api is \`${option}\`; expected a URL like http://127.0.0.1:8080`,
    );
  });

  test('must not hold a password, which is not repeated', async () => {
    const refusal = resolveApiAddress({ ...none, option: 'http://me:hidden@host' });
    await expect(refusal).rejects.toThrow('set ADMIN_TOKEN');
    await expect(refusal).rejects.not.toThrow('hidden');
  });
});

test('NATS is that of --nats, NATS_URL, the running dev instance, the default, in this order', async () => {
  const given = { ...running, option: 'nats://one:1', environment: 'nats://two:2', apiAddress: undefined };
  expect((await resolveNatsAddress(given)).url).toBe('nats://one:1');
  expect((await resolveNatsAddress({ ...given, option: undefined })).url).toBe('nats://two:2');
  expect(await resolveNatsAddress({ ...running, apiAddress: undefined })).toMatchObject({
    url: 'nats://127.0.0.1:9002',
    doubt: null,
  });
  expect(await resolveNatsAddress({ ...none, apiAddress: undefined })).toMatchObject({
    url: 'nats://127.0.0.1:4222',
    doubt: null,
  });
});

test('a NATS that nobody named is doubted where ACTIVITY_CORE_API names another instance than its own', async () => {
  const apiAddress = 'http://127.0.0.1:9001/';
  expect((await resolveNatsAddress({ ...running, apiAddress })).doubt).toBeNull();
  expect((await resolveNatsAddress({ ...none, apiAddress: 'http://127.0.0.1:8080' })).doubt).toBeNull();
  expect((await resolveNatsAddress({ ...none, apiAddress, option: 'nats://one:1' })).doubt).toBeNull();
  expect((await resolveNatsAddress({ ...none, apiAddress, environment: 'nats://two:2' })).doubt).toBeNull();
  for (const same of ['http://localhost:9001', 'http://[::1]:9001', '127.0.0.1:9001'])
    expect((await resolveNatsAddress({ ...running, apiAddress: same })).doubt, same).toBeNull();
  const { doubt } = await resolveNatsAddress({ ...none, apiAddress });
  expect(doubt).toMatch(
    /^ACTIVITY_CORE_API is http:\/\/127\.0\.0\.1:9001, and NATS_URL is not set: this goes to nats:\/\/127\.0\.0\.1:4222 /,
  );
  expect((await resolveNatsAddress({ ...running, apiAddress: 'http://other:1' })).doubt).toContain(
    'nats://127.0.0.1:9002 (.activity-core/dev.json)',
  );
});

test('dev.json is read where it is there, and a damaged one is told of', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'activity-core-cli-'));
  try {
    expect(await readDevFile(folder)).toBeNull();
    await writeFile(join(folder, 'dev.json'), JSON.stringify(dev));
    expect(await readDevFile(folder)).toMatchObject(dev);
    await writeFile(join(folder, 'dev.json'), '{');
    await expect(readDevFile(folder)).rejects.toThrow('dev.json is damaged');
  } finally {
    await rm(folder, { recursive: true });
  }
});
