/** Which activity-core, and which NATS, a command speaks to: the option, else the environment, else `dev.json`, else the default. */
import type { DevFile } from './dev-file.ts';
import { UsageError } from './usage-error.ts';

export interface Address {
  url: string;
  /** Who named it, as in `--api`. */
  origin: string;
}

/** `doubt`: why it may not belong to the API that commands ask; null where nothing speaks against it. */
export interface NatsAddress extends Address {
  doubt: string | null;
}

export interface Candidates {
  option: string | undefined;
  environment: string | undefined;
  devFile(): Promise<DevFile | null>;
}

const DEFAULT_API = 'http://127.0.0.1:8080';

export async function resolveApiAddress({ option, environment, devFile }: Candidates): Promise<Address> {
  if (option) return httpAddress(option, '--api');
  if (environment) return httpAddress(environment, 'ACTIVITY_CORE_API');
  const dev = await devFile();
  if (dev) return httpAddress(dev.api_url, '.activity-core/dev.json');
  return { url: DEFAULT_API, origin: 'the default' };
}

/** `apiAddress`: ACTIVITY_CORE_API. */
export async function resolveNatsAddress({
  option,
  environment,
  devFile,
  apiAddress,
}: Candidates & { apiAddress: string | undefined }): Promise<NatsAddress> {
  if (option) return { url: option, origin: '--nats', doubt: null };
  if (environment) return { url: environment, origin: 'NATS_URL', doubt: null };
  const dev = await devFile();
  const address = dev
    ? { url: dev.nats_url, origin: '.activity-core/dev.json' }
    : { url: 'nats://127.0.0.1:4222', origin: 'the default' };
  return { ...address, doubt: doubtOf(address, dev?.api_url ?? DEFAULT_API, apiAddress) };
}

/** Commands that read ask one instance, and an event would go to another: nobody would find it. */
function doubtOf({ url, origin }: Address, itsApi: string, apiAddress: string | undefined): string | null {
  // What is no address is told by the commands that ask it.
  if (!apiAddress || !URL.canParse(apiAddress)) return null;
  if (hostOf(apiAddress) === hostOf(itsApi)) return null;
  return (
    `ACTIVITY_CORE_API is ${withoutCredentials(apiAddress).replace(/\/+$/, '')}, and NATS_URL is not set: this goes to ${withoutCredentials(url)} (${origin}), ` +
    'which may be that of another instance; name the server with NATS_URL or --nats'
  );
}

/** Host and port; this machine by one name. */
function hostOf(url: string): string {
  return new URL(url).host.replace(/^(localhost|127\.0\.0\.1|\[::1\])(?=:|$)/, 'localhost');
}

export const withoutCredentials = (url: string): string => url.replace(/\/\/[^/@\s]*@/, '//');

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
