/**
 * Environment → Config (contract 4). The only reader of process.env.
 * Every fault is reported at once; a value that is secret is never part of a message.
 */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type ClientConnectConfig, loadClientConnectConfig } from '@temporalio/envconfig';
import { z } from 'zod';

const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, 'a whole number')
  .transform(Number);
const port = wholeNumber.refine((value) => value <= 65_535, 'a port from 0 to 65535; 0 takes a free one');
const positive = wholeNumber.refine((value) => value > 0, 'a number above 0');
const secret = z.string().regex(/^\S+$/, 'a text without blanks');
const httpUrl = z
  .url({ protocol: /^https?$/, error: 'an http(s) URL' })
  .transform((url) => url.replace(/\/+$/, ''));
/** For people to follow: everybody who looks sees it. */
const linkUrl = z
  .url({ protocol: /^https?$/, error: 'an http(s) URL', abort: true })
  .refine((url) => {
    const { username, password, search, hash } = new URL(url);
    return `${username}${password}${search}${hash}` === '';
  }, 'an http(s) URL without user, password, query or fragment')
  .transform((url) => url.replace(/\/+$/, ''));
const natsUrl = z.url({ protocol: /^(nats|tls|wss?)$/, error: 'a URL like nats://host:4222' });
const postgresUrl = z.url({
  protocol: /^postgres(ql)?$/,
  error: 'a URL like postgres://user@host:5432/name',
});

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const environmentSchema = z.object({
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^\S+:\d+$/, 'host:port')
    .optional(),
  TEMPORAL_NAMESPACE: z.string().optional(),
  TEMPORAL_UI_URL: linkUrl.optional(),
  TASK_QUEUE: z.string().default('activity-core'),
  NATS_URL: natsUrl.optional(),
  NATS_CREDS_FILE: z.string().optional(),
  NATS_STREAM: z
    .string()
    .regex(/^[^\s.*>]+$/, 'a stream name')
    .default('ACTIVITY'),
  NATS_CONSUMER: z
    .string()
    .regex(/^[^\s.*>]+$/, 'a consumer name')
    .default('activity-core'),
  DATABASE_URL: postgresUrl.optional(),
  DEFINITIONS_DIR: z.string().default('definitions'),
  ADMIN_HOST: z.string().default('127.0.0.1'),
  ADMIN_PORT: port.default(8080),
  ADMIN_TOKEN: secret.optional(),
  ADMIN_REQUESTS_PER_MINUTE: positive.default(60_000),
  ISSUE_SINK_TYPE: z.enum(['null', 'issue-core'], 'null or issue-core').default('null'),
  ISSUE_CORE_URL: httpUrl.optional(),
  ISSUE_CORE_TOKEN: secret.optional(),
  ISSUE_CORE_TIMEOUT_SECONDS: positive.default(10),
  EMIT_GIVE_UP_HOURS: positive.default(24),
  STATE_HUB_URL: httpUrl.optional(),
  STATE_HUB_TOKEN: secret.optional(),
  LLM_CONNECT_URL: httpUrl.optional(),
  LLM_CONNECT_TIMEOUT_SECONDS: positive.default(300),
  LLM_CONNECT_MODEL: z.string().optional(),
  WORKING_MEMORY_DIR: z.string().optional(),
  KAIZEN_REPOS_ROOT: z.string().optional(),
  KAIZEN_ENGAGEMENT_ROSTER: z.string().optional(),
  OPS_EVIDENCE_BACKEND: z
    .literal(
      'state-hub',
      'state-hub; inter-hub stays refused until the custody of OPS_HUB_KEY is settled: State Hub ops_inventory_probe progress is the accepted path (docs/runbook.md, "Evidence posture")',
    )
    .default('state-hub'),
  OPS_HUB_KEY: secret.optional(),
  RETENTION_DAYS: positive.default(90),
  DEDUPE_DAYS: positive.default(400),
  QUARANTINE_MAX_BYTES: positive.default(1024 ** 3),
  LOG_LEVEL: z.enum(LOG_LEVELS, `one of ${LOG_LEVELS.join(', ')}`).default('info'),
});

const SECRETS = [
  'DATABASE_URL',
  'ADMIN_TOKEN',
  'ISSUE_CORE_TOKEN',
  'STATE_HUB_TOKEN',
  'OPS_HUB_KEY',
  'TEMPORAL_API_KEY',
] as const;

export type Environment = Readonly<Record<string, string | undefined>>;
export type Config = Readonly<z.output<typeof environmentSchema>> & {
  readonly temporal: ClientConnectConfig;
};
/** A Config whose three servers are known. */
export type ServiceConfig = Config & { readonly NATS_URL: string; readonly DATABASE_URL: string };

/** Exit code 2 (contract 4). `faults` names each variable, what it held and what was expected. */
export class ConfigurationError extends Error {
  readonly code = 'invalid_configuration';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `the configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
    this.faults = faults;
  }
}

/**
 * What a command cannot do without. Where ISSUE_SINK_TYPE says issue-core: `issue_core` is its address and token,
 * `issue_core_token` the token for an address that is set.
 */
type Needed = 'NATS_URL' | 'DATABASE_URL' | 'issue_core' | 'issue_core_token';

/** @throws ConfigurationError */
export function parseConfig(environment: Environment, needed: readonly Needed[] = []): Config {
  const { values, faults } = withSecretsFromFiles(environment);
  const parsed = environmentSchema.safeParse(values);
  if (!parsed.success) faults.push(...parsed.error.issues.map((issue) => faultOf(issue, values)));
  faults.push(...faultsBetween(values));
  faults.push(...needed.flatMap((need) => missing(need, values)));
  const temporal = temporalConfig(values, faults);
  if (faults.length > 0 || !parsed.success || !temporal) throw new ConfigurationError(faults);
  return { ...parsed.data, DEFINITIONS_DIR: resolve(parsed.data.DEFINITIONS_DIR), temporal };
}

/** For `serve` and `migrate`: nothing is started for them. @throws ConfigurationError */
export function parseServiceConfig(environment: Environment, needed: readonly Needed[]): ServiceConfig {
  const config = parseConfig(environment, needed);
  return { ...config, NATS_URL: config.NATS_URL ?? '', DATABASE_URL: config.DATABASE_URL ?? '' };
}

function missing(need: Needed, values: Record<string, string>): string[] {
  if (need === 'NATS_URL' || need === 'DATABASE_URL') {
    const remedy =
      'set it, or use `npm run dev`, which starts the servers itself and leaves their addresses in .activity-core/dev.json';
    return values[need] ? [] : [`${need} is not set; ${remedy}`];
  }
  if (values.ISSUE_SINK_TYPE !== 'issue-core' || (need === 'issue_core_token' && !values.ISSUE_CORE_URL))
    return [];
  return ['ISSUE_CORE_URL', 'ISSUE_CORE_TOKEN']
    .filter((name) => !values[name])
    .map((name) => `${name} is not set; ISSUE_SINK_TYPE=issue-core needs it`);
}

/** What only several variables, or the disk, can tell. */
function faultsBetween(values: Record<string, string>): string[] {
  const faults: string[] = [];
  const [retention, dedupe] = [values.RETENTION_DAYS ?? '90', values.DEDUPE_DAYS ?? '400'].map(
    (text) => positive.safeParse(text).data,
  );
  if (retention && dedupe && retention > dedupe) {
    faults.push(
      `RETENTION_DAYS is ${retention}, DEDUPE_DAYS is ${dedupe}; expected identities to be kept as long as events`,
    );
  }
  if (values.NATS_CREDS_FILE) {
    try {
      accessSync(values.NATS_CREDS_FILE, constants.R_OK);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      faults.push(`NATS_CREDS_FILE names ${values.NATS_CREDS_FILE}, which cannot be read (${code})`);
    }
  }
  if (values.DEFINITIONS_DIR && !statSync(values.DEFINITIONS_DIR, { throwIfNoEntry: false })?.isDirectory()) {
    faults.push(`DEFINITIONS_DIR is \`${values.DEFINITIONS_DIR}\`; expected a folder`);
  }
  return faults;
}

/** With the addresses of servers that were started for it. */
export function withServers(
  config: Config,
  servers: { temporal_address: string; nats_url: string; database_url: string },
): ServiceConfig {
  const connectionOptions = { ...config.temporal.connectionOptions, address: servers.temporal_address };
  return {
    ...config,
    NATS_URL: servers.nats_url,
    DATABASE_URL: servers.database_url,
    temporal: { ...config.temporal, connectionOptions },
  };
}

export const readConfig = (): Config => parseConfig(process.env);

/** For `dev`, which serves what is not there. @throws ConfigurationError */
export const readDevConfig = (): Config => parseConfig(process.env, ['issue_core_token']);

export const readServiceConfig = (needed: readonly Needed[]): ServiceConfig =>
  parseServiceConfig(process.env, needed);

/** For the places that start other programs: what they need of the environment, and nothing else. */
export function readLaunchEnvironment(): { path: string; cacheDir: string | undefined } {
  const { PATH = '', ACTIVITY_CORE_CACHE } = process.env;
  return { path: PATH, cacheDir: ACTIVITY_CORE_CACHE || undefined };
}

/** For an instance of its own, untouched by ours: the environment without any setting of activity-core's. */
export function readEnvironmentWithoutSettings(): Record<string, string | undefined> {
  const settings = new Set(Object.keys(environmentSchema.shape).flatMap((name) => [name, `${name}_FILE`]));
  const isSetting = (name: string) =>
    settings.has(name) || name.startsWith('TEMPORAL_') || name === 'ACTIVITY_CORE_API';
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !isSetting(name)));
}

export const readApiAddress = (): string | undefined => process.env.ACTIVITY_CORE_API || undefined;

function withSecretsFromFiles(environment: Environment): {
  values: Record<string, string>;
  faults: string[];
} {
  const faults: string[] = [];
  const values: Record<string, string> = {};
  // An empty variable is an unset one: that is how manifests clear a value.
  for (const [name, value] of Object.entries(environment)) if (value) values[name] = value;
  for (const name of SECRETS) {
    const file = values[`${name}_FILE`];
    if (!file) continue;
    if (values[name]) {
      faults.push(`${name} and ${name}_FILE are both set; set one of them`);
      continue;
    }
    try {
      values[name] = readFileSync(file, 'utf8').trim();
      if (!values[name]) faults.push(`${name}_FILE names ${file}, which is empty`);
    } catch (error) {
      faults.push(
        `${name}_FILE names ${file}, which cannot be read (${(error as NodeJS.ErrnoException).code})`,
      );
    }
  }
  return { values, faults };
}

function faultOf(issue: z.core.$ZodIssue, values: Record<string, string>): string {
  const name = String(issue.path[0]);
  const secret = (SECRETS as readonly string[]).includes(name) || /TOKEN|KEY|PASSWORD|SECRET/.test(name);
  const found = secret ? 'a value that is not shown' : `\`${withoutUserinfo(values[name] ?? '')}\``;
  const expected =
    issue.code === 'too_small' || issue.code === 'too_big'
      ? issue.message.replace(/^Too \w+: /, '')
      : issue.message;
  return `${name} is ${found}; expected ${expected}`;
}

/** A URL may carry a password where nobody expects one. */
const withoutUserinfo = (text: string): string => text.replaceAll(/[^/\s]*@/g, '***@');

function temporalConfig(values: Record<string, string>, faults: string[]): ClientConnectConfig | null {
  try {
    // Only what is named is read: no search for a configuration file on the disk.
    return loadClientConnectConfig({ overrideEnvVars: values, disableFile: !values.TEMPORAL_CONFIG_FILE });
  } catch (error) {
    faults.push(`Temporal's environment configuration: ${(error as Error).message}`);
    return null;
  }
}
