/** `backtest`: what a definition file would have done with the events and ticks that are on record. */
import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { BacktestReport } from '../backtest/report.ts';
import { DEFINITION_ID } from '../core/definition.ts';
import type { EventType } from '../core/event-type.ts';
import type { LoadedDefinition } from '../definitions/check.ts';
import { formatWarning } from '../definitions/errors.ts';
import type { Resolvers } from '../resolvers/registry.ts';
import { backtestStory } from './backtest-story.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { printable } from './printable.ts';
import { parseMoment, shortTime } from './time.ts';
import { UsageError } from './usage-error.ts';

interface Options extends ApiOptions {
  since: string;
  until?: string;
  examples: number;
  failOnChange?: boolean;
}

const PROGRESS_EVERY_MS = 2_000;
const ABOUT_COPIES =
  'A changed copy keeps its name, which is its id, and stands in another folder, as in draft/my-definition.yaml.\n' +
  'Its event types are those of event-types/ beside it; where there is none, those of DEFINITIONS_DIR.';

export function addBacktest(program: Command, cli: Cli): void {
  apiCommand(
    program,
    'backtest <file>',
    'what a definition file would have done, against what was recorded',
    'the whole comparison',
  )
    .addHelpText('after', `\n${ABOUT_COPIES}`)
    .option('--since <time>', 'from when on: a time, or a while ago like 24h or 7d', '7d')
    .option('--until <time>', 'until when (default: now)')
    .option('--examples <n>', 'how many to show of each difference, 0 to 100', parseExamples, 3)
    .option('--fail-on-change', 'end with 1 where anything changed, or cannot be told')
    .action(async (file: string, options: Options) => {
      const { createResolvers } = await import('../resolvers/registry.ts');
      const resolvers = createResolvers();
      const read = await load(cli, file, options.json, resolvers);
      if (!read) return cli.end(1);
      const report = await backtest(cli, read, options, resolvers);
      if (options.json) printJson(cli.terminal, report);
      else cli.terminal.print(backtestStory(cli.terminal, report).join('\n'));
      cli.end(options.failOnChange && !isClear(report) ? 1 : 0);
    });
}

/** What was all passed over is not known to be the same. */
function isClear({ is_changed, not_reproducible, compared, events, ticks }: BacktestReport): boolean {
  return !is_changed && not_reproducible === 0 && (compared > 0 || events + ticks === 0);
}

interface ReadFile {
  loaded: LoadedDefinition;
  /** That it names, as it stands beside it. */
  eventType: EventType | null;
}

/** Null where the file is invalid, which was told then as `definitions validate` tells it. */
async function load(
  cli: Cli,
  file: string,
  json: boolean | undefined,
  resolvers: Resolvers,
): Promise<ReadFile | null> {
  const { loadPaths } = await import('../definitions/load.ts');
  const { printValidation } = await import('./definitions-validate.ts');
  const definitionsDir = relative(process.cwd(), cli.readConfig().DEFINITIONS_DIR) || '.';
  refuseId(file, definitionsDir);
  const result = await loadPaths([file], { resolvers, definitionsDir });
  if (!result.ok) {
    printValidation(result, { json: json === true, print: cli.terminal.print });
    if (result.errors.some(({ path }) => path === 'id')) cli.terminal.warn(ABOUT_COPIES);
    return null;
  }
  for (const warning of result.warnings) cli.terminal.warn(printable(formatWarning(warning)));
  const [loaded, ...others] = result.definitions;
  if (loaded && others.length === 0) {
    const folder = await eventTypesOf(loaded, definitionsDir);
    const beside =
      folder === null ? [] : (await loadPaths([folder], { resolvers, definitionsDir })).eventTypes;
    const wanted = loaded.definition.trigger.event?.type;
    return { loaded, eventType: beside.find(({ type }) => type === wanted) ?? null };
  }
  throw new UsageError(
    `${file} holds ${loaded ? result.definitions.length : 'no'} definitions; expected the file of one`,
  );
}

/** Other commands take the id of a definition, which needs no file; this one is about what stands in a file. */
function refuseId(given: string, definitionsDir: string): void {
  if (!DEFINITION_ID.test(given) || existsSync(given)) return;
  const file = join(definitionsDir, `${given}.yaml`);
  throw new UsageError(
    existsSync(file)
      ? `backtest takes a file, and ${given} is an id: activity-core backtest ${file}`
      : `backtest takes the file of a definition, which need not be applied, and there is none at ${given} or ${file}`,
  );
}

/** The folder that the file was checked with. */
async function eventTypesOf({ file }: LoadedDefinition, definitionsDir: string): Promise<string | null> {
  const { eventTypesFolderIn } = await import('../definitions/source-files.ts');
  return (await eventTypesFolderIn(dirname(file))) ?? eventTypesFolderIn(definitionsDir);
}

async function backtest(
  cli: Cli,
  read: ReadFile,
  options: Options,
  resolvers: Resolvers,
): Promise<BacktestReport> {
  const { NothingToReplayError, runBacktest } = await import('../backtest/run-backtest.ts');
  const now = cli.now();
  const since = parseMoment('--since', options.since, now);
  const until = options.until === undefined ? null : parseMoment('--until', options.until, now);
  if ((until ?? now.toISOString()) <= since)
    throw new UsageError(`--since ${options.since} is not before ${until === null ? 'now' : '--until'}`);
  const api = await connectApi(cli, options);
  const { examples } = options;
  let toldAt = performance.now();
  const onProgress = (count: number, at: string) => {
    if (performance.now() - toldAt < PROGRESS_EVERY_MS) return;
    toldAt = performance.now();
    cli.terminal.warn(`${count.toLocaleString('en')} read, to ${printable(shortTime(at))}`);
  };
  return runBacktest({ api, ...read, resolvers, since, until, examples, onProgress }).catch(
    (error: unknown) => {
      throw error instanceof NothingToReplayError ? new UsageError(error.message, { cause: error }) : error;
    },
  );
}

function parseExamples(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) > 100)
    throw new InvalidArgumentError('Expected a whole number from 0 to 100.');
  return Number(text);
}
