/**
 * A process that owns servers and can be killed: `node servers-owner.ts '<options as JSON>'`. It prints one line,
 * `{addresses, processes}`, when they are ready, and stays.
 */
import { type StartServersOptions, startServers } from '../../src/dev/servers.ts';

const options: Omit<StartServersOptions, 'log'> = JSON.parse(process.argv[2] ?? '{}');
const servers = await startServers({
  ...options,
  log: (message, fields) => console.error(message, JSON.stringify(fields)),
});
const { temporal_address, temporal_ui_url, nats_url, database_url, processes } = servers;
console.log(
  JSON.stringify({ addresses: { temporal_address, temporal_ui_url, nats_url, database_url }, processes }),
);
