/** Which activity-core, and which NATS, a command speaks to: the option, else the environment, else `dev.json`, else the default. */
import type { DevFile } from './dev-file.ts';
import { UsageError } from './usage-error.ts';

export interface Address {
  url: string;
  /** Who named it, as in `--api`. */
  origin: string;
}

export interface Candidates {
  option: string | undefined;
  environment: string | undefined;
  devFile(): Promise<DevFile | null>;
}

export async function resolveApiAddress({ option, environment, devFile }: Candidates): Promise<Address> {
  if (option) return httpAddress(option, '--api');
  if (environment) return httpAddress(environment, 'ACTIVITY_CORE_API');
  const dev = await devFile();
  if (dev) return httpAddress(dev.api_url, '.activity-core/dev.json');
  return { url: 'http://127.0.0.1:8080', origin: 'the default' };
}

export async function resolveNatsAddress({ option, environment, devFile }: Candidates): Promise<Address> {
  if (option) return { url: option, origin: '--nats' };
  if (environment) return { url: environment, origin: 'NATS_URL' };
  const dev = await devFile();
  if (dev) return { url: dev.nats_url, origin: '.activity-core/dev.json' };
  return { url: 'nats://127.0.0.1:4222', origin: 'the default' };
}

function httpAddress(text: string, origin: string): Address {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`${origin} is \`${text}\`; expected a URL like http://127.0.0.1:8080`);
  }
  // `fetch` refuses these, and a password has no place on a command line.
  if (url.username || url.password) {
    throw new UsageError(`${origin} holds a user or password; the API takes a token: set ADMIN_TOKEN`);
  }
  return { url: `${url.origin}${url.pathname}`.replace(/\/+$/, ''), origin };
}
