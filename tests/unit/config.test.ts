import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ConfigurationError, parseConfig, parseServiceConfig } from '../../src/config.ts';

const folder = mkdtempSync(join(tmpdir(), 'activity-core-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function secretFile(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function faultsOf(
  environment: Record<string, string>,
  needed: Parameters<typeof parseConfig>[1] = [],
): string[] {
  try {
    parseConfig(environment, needed);
  } catch (error) {
    if (error instanceof ConfigurationError) return [...error.faults];
    throw error;
  }
  return [];
}

test('an empty environment gives the defaults of the contract', () => {
  expect(parseConfig({})).toMatchObject({
    TASK_QUEUE: 'activity-core',
    NATS_STREAM: 'ACTIVITY',
    NATS_CONSUMER: 'activity-core',
    ADMIN_HOST: '127.0.0.1',
    ADMIN_PORT: 8080,
    ADMIN_REQUESTS_PER_MINUTE: 60_000,
    ISSUE_SINK_TYPE: 'null',
    ISSUE_CORE_TIMEOUT_SECONDS: 10,
    EMIT_GIVE_UP_HOURS: 24,
    LLM_CONNECT_TIMEOUT_SECONDS: 300,
    OPS_EVIDENCE_BACKEND: 'state-hub',
    RETENTION_DAYS: 90,
    DEDUPE_DAYS: 400,
    QUARANTINE_MAX_BYTES: 1024 ** 3,
    LOG_LEVEL: 'info',
  });
});

test('every fault is told at once, with the variable, what it held and what was expected', () => {
  const faults = faultsOf({
    ADMIN_PORT: 'eighty',
    NATS_URL: 'http://localhost',
    LOG_LEVEL: 'loud',
    DEDUPE_DAYS: '-1',
    ISSUE_SINK_TYPE: 'jira',
    OPS_EVIDENCE_BACKEND: 'inter-hub',
    STATE_HUB_URL: 'state-hub',
  });
  expect(faults).toHaveLength(7);
  expect(faults.join('\n')).toContain('ADMIN_PORT is `eighty`; expected');
  expect(faults.join('\n')).toContain('LOG_LEVEL is `loud`; expected one of fatal, error');
  expect(faults.join('\n')).toContain('ISSUE_SINK_TYPE is `jira`; expected null or issue-core');
});

test('an ops-hub backend is refused with the reason and with the section of the runbook, which is there', () => {
  const [fault = '', ...others] = faultsOf({ OPS_EVIDENCE_BACKEND: 'inter-hub', OPS_HUB_KEY: 'a-key' });
  expect(others).toEqual([]);
  expect(fault).toContain('OPS_EVIDENCE_BACKEND is `inter-hub`; expected state-hub');
  expect(fault).toContain('until the custody of OPS_HUB_KEY is settled');
  expect(fault).not.toContain('a-key');
  const [, file = '', section] = /\((\S+), "([^"]+)"\)/.exec(fault) ?? [];
  expect(readFileSync(file, 'utf8')).toContain(`\n## ${section}\n`);
});

test('a bad number is a fault and never the default', () => {
  for (const value of ['1e', '0', '1.5', 'NaN', 'Infinity', '0x10z']) {
    expect(faultsOf({ RETENTION_DAYS: value }), value).toHaveLength(1);
  }
});

test('an empty variable is an unset one', () => {
  expect(parseConfig({ NATS_STREAM: '', ADMIN_TOKEN: '' })).toMatchObject({ NATS_STREAM: 'ACTIVITY' });
  expect(parseConfig({ ADMIN_TOKEN: '' }).ADMIN_TOKEN).toBeUndefined();
});

test('a secret may come from a file, without the line break at its end', () => {
  expect(parseConfig({ ADMIN_TOKEN_FILE: secretFile('token', 's3cret\n') }).ADMIN_TOKEN).toBe('s3cret');
  expect(faultsOf({ ADMIN_TOKEN: 'a', ADMIN_TOKEN_FILE: secretFile('token', 'b') })).toEqual([
    'ADMIN_TOKEN and ADMIN_TOKEN_FILE are both set; set one of them',
  ]);
  expect(faultsOf({ STATE_HUB_TOKEN_FILE: join(folder, 'absent') })[0]).toContain('cannot be read (ENOENT)');
  expect(faultsOf({ OPS_HUB_KEY_FILE: secretFile('empty', '') })[0]).toContain('which is empty');
});

test('no secret and no password in a URL is ever part of a fault', () => {
  const text = faultsOf({
    DATABASE_URL: 'mysql://user:hunter2@host/db',
    NATS_URL: 'user:hunter2@host',
    STATE_HUB_URL: 'ftp://user:hunter2@host',
    ADMIN_TOKEN: 'hunter2',
    ADMIN_TOKEN_FILE: 'x',
  }).join('\n');
  expect(text).toContain('DATABASE_URL');
  expect(text).not.toContain('hunter2');
});

const NO_ISSUE_CORE_URL = 'ISSUE_CORE_URL is not set; ISSUE_SINK_TYPE=issue-core needs it';
const NO_ISSUE_CORE_TOKEN = 'ISSUE_CORE_TOKEN is not set; ISSUE_SINK_TYPE=issue-core needs it';

test('issue-core as the sink needs its address and token where something is sent, told with all else', () => {
  const environment = { ISSUE_SINK_TYPE: 'issue-core', ADMIN_PORT: 'eighty' };
  expect(faultsOf(environment, ['DATABASE_URL', 'issue_core'])).toEqual([
    expect.stringContaining('ADMIN_PORT is `eighty`'),
    expect.stringContaining('DATABASE_URL is not set'),
    NO_ISSUE_CORE_URL,
    NO_ISSUE_CORE_TOKEN,
  ]);
  expect(faultsOf({ ISSUE_SINK_TYPE: 'null' }, ['issue_core'])).toEqual([]);
});

test('commands that send nothing need no issue-core', () => {
  expect(faultsOf({ ISSUE_SINK_TYPE: 'issue-core' })).toEqual([]);
});

test('dev stands in for an address that is unset, and needs the token of one that is set', () => {
  const sink = { ISSUE_SINK_TYPE: 'issue-core' };
  expect(faultsOf(sink, ['issue_core_token'])).toEqual([]);
  expect(faultsOf({ ...sink, ISSUE_CORE_URL: 'http://issues' }, ['issue_core_token'])).toEqual([
    NO_ISSUE_CORE_TOKEN,
  ]);
});

test('Temporal is read by its own environment configuration, TLS and API key included', () => {
  const { temporal } = parseConfig({
    TEMPORAL_ADDRESS: 'cloud:7233',
    TEMPORAL_NAMESPACE: 'ns',
    TEMPORAL_API_KEY: 'key',
  });
  expect(temporal).toMatchObject({
    namespace: 'ns',
    connectionOptions: { address: 'cloud:7233', apiKey: 'key' },
  });
});

test('a command that needs a server says which variable is missing and what to do', () => {
  expect(() => parseServiceConfig({}, ['NATS_URL', 'DATABASE_URL'])).toThrow(
    /NATS_URL is not set.*npm run dev.*DATABASE_URL is not set/s,
  );
});

test('what looks like an address and is none, an unreadable file and a blank secret are faults, all at once', () => {
  const environment = {
    DATABASE_URL: 'postgres://u:p@host:notaport/db',
    NATS_URL: 'nats://host:notaport',
    NATS_CREDS_FILE: join(folder, 'no-creds'),
    ADMIN_TOKEN: '   ',
    ADMIN_PORT: '0x1F',
    RETENTION_DAYS: '500',
    ISSUE_SINK_TYPE: 'issue-core',
  };
  const faults = faultsOf(environment, ['issue_core']);
  expect(faults).toHaveLength(8);
  expect(faults.join('\n')).not.toContain('u:p@');
});

test('a link for people is an http(s) URL and carries nothing else', () => {
  expect(parseConfig({ TEMPORAL_UI_URL: 'https://temporal.example/ui/' }).TEMPORAL_UI_URL).toBe(
    'https://temporal.example/ui',
  );
  expect(parseConfig({}).TEMPORAL_UI_URL).toBeUndefined();
  const wrong = [
    'javascript:alert(1)',
    'temporal.example',
    'https://someone:sesame@temporal.example',
    'https://temporal.example/?token=sesame',
    'https://temporal.example/#sesame',
  ];
  for (const url of wrong) {
    const [fault = '', ...others] = faultsOf({ TEMPORAL_UI_URL: url });
    expect(fault, url).toMatch(/^TEMPORAL_UI_URL is .* expected an http\(s\) URL/);
    expect(others, url).toEqual([]);
    expect(fault, url).not.toContain('sesame@');
  }
});
