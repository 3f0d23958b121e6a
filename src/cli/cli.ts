/** What commands are given, and how they end. */
import type { Command } from 'commander';
import { type ActivityCoreApi, createActivityCoreApi } from '../clients/activity-core-api.ts';
import type { Config } from '../config.ts';
import { resolveApiAddress } from './address.ts';
import type { DevFile } from './dev-file.ts';
import { printableJson } from './printable.ts';
import type { Terminal } from './terminal.ts';

/** 0 fine, 1 the answer is no, 2 bad use or configuration (contract 9). */
export type ExitCode = number;

export interface Cli {
  terminal: Terminal;
  now(): Date;
  /** @throws ConfigurationError */
  readConfig(): Config;
  /** ACTIVITY_CORE_API. */
  apiAddress: string | undefined;
  /** Of the instance that runs on this folder; null without one. */
  readDevFile(): Promise<DevFile | null>;
  /** A file's bytes; `-` is standard input. @throws UsageError */
  readInput(file: string): Promise<Uint8Array>;
  end(code: ExitCode): void;
}

export interface ApiOptions {
  api?: string;
  json?: boolean;
}

/** A sub-command that asks the API: it has `--json` and `--api`. `json`: what the first one prints. */
export function apiCommand(
  parent: Command,
  nameAndArguments: string,
  description: string,
  json = "the API's answer",
): Command {
  return parent
    .command(nameAndArguments)
    .description(description)
    .option('--json', `print ${json} as JSON`)
    .option(
      '--api <url>',
      'the API to ask (default: ACTIVITY_CORE_API, else that of .activity-core/dev.json, else http://127.0.0.1:8080)',
    );
}

/** @throws UsageError, ConfigurationError */
export async function connectApi(cli: Cli, options: ApiOptions): Promise<ActivityCoreApi> {
  const { ADMIN_TOKEN: token } = cli.readConfig();
  const { apiAddress: environment, readDevFile: devFile } = cli;
  const { url, origin } = await resolveApiAddress({ option: options.api, environment, devFile });
  return createActivityCoreApi({ url, token, origin });
}

export function printJson(terminal: Terminal, value: unknown): void {
  terminal.print(printableJson(value));
}
