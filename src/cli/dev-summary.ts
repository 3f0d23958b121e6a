/** What `dev` says when it is ready: what is where, how to speak to it, how to stop it. */
import type { Servers } from '../dev/servers.ts';
import type { Surroundings } from './dev-surroundings.ts';

export interface DevSummaryInput {
  servers: Pick<Servers, 'temporal_address' | 'temporal_ui_url' | 'nats_url' | 'database_url'>;
  told: Surroundings['told'];
  apiUrl: string;
  stateDir: string;
  /** Commands find it by themselves: it is that of the default folder. */
  isFound: boolean;
  /** The service's own process. */
  pid: number;
}

export function devSummary({ servers, told, apiUrl, stateDir, isFound, pid }: DevSummaryInput): string {
  const { temporal_address, temporal_ui_url, nats_url, database_url } = servers;
  return `
activity-core is ready, as process ${pid}.

  page         ${apiUrl}/   (what is due, ran, failed, was refused)
  API          ${apiUrl}/api/v1/runs
  Temporal     ${temporal_address}${temporal_ui_url ? `   web UI ${temporal_ui_url}` : ''}
  NATS         ${placeOf(nats_url)}
  PostgreSQL   ${placeOf(database_url)}
${told.map(([name, place]) => `  ${name.padEnd(12)} ${place}\n`).join('')}  state        ${stateDir}   (addresses with the password: dev.json)

${isFound ? '' : exportsOf(apiUrl, nats_url)}Publish an event:    npx activity-core publish FILE
See what came of it: npx activity-core runs list
Ctrl-C stops everything that was started here; so does \`kill ${pid}\`.
`;
}

function exportsOf(apiUrl: string, natsUrl: string): string {
  // One with a password is the NATS_URL that was given: who has it sets it again, and it is not printed.
  const { username, password } = new URL(natsUrl);
  const isSecret = username !== '' || password !== '';
  return `In each terminal first, so that commands find it:
  export ACTIVITY_CORE_API=${apiUrl}
${isSecret ? '' : `  export NATS_URL=${placeOf(natsUrl)}\n`}
`;
}

/** Where a server is, without the user, password and parameters that its URL may carry. */
function placeOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}
