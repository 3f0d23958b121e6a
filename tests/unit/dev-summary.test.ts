import { expect, test } from 'vitest';
import { devSummary } from '../../src/cli/dev-summary.ts';

const input = {
  servers: {
    temporal_address: '127.0.0.1:7233',
    temporal_ui_url: null,
    nats_url: 'nats://127.0.0.1:40002',
    database_url: 'postgres://me:hidden@127.0.0.1:5432/activity',
  },
  told: [['log', 'a file']] as [string, string][],
  apiUrl: 'http://127.0.0.1:40001',
  stateDir: '/state',
  isFound: false,
  pid: 4711,
};

test('an instance that commands do not find by themselves tells what to export, for the API and for NATS', () => {
  expect(devSummary(input)).toContain(
    '\n  export ACTIVITY_CORE_API=http://127.0.0.1:40001\n  export NATS_URL=nats://127.0.0.1:40002\n',
  );
  expect(devSummary({ ...input, isFound: true })).not.toContain('export');
});

test('it names its process, for whoever has no Ctrl-C to press', () => {
  expect(devSummary(input)).toContain('\nactivity-core is ready, as process 4711.\n');
  expect(devSummary(input)).toContain('so does `kill 4711`.');
});

test.each(['me:hidden', ':hidden'])('no password is shown: %s', (credentials) => {
  const servers = { ...input.servers, nats_url: `nats://${credentials}@nats:4222` };
  const told = devSummary({ ...input, servers });
  expect(told).not.toContain('hidden');
  expect(told).not.toContain('export NATS_URL');
});
