/** Every command, wired. A new one is a file and a line here. Rooms that are slow to load are loaded by their command alone. */
import { readdir } from 'node:fs/promises';
import { relative } from 'node:path';
import { Argument, Command, Help } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { addBackfill } from './backfill.ts';
import { addBacktest } from './backtest.ts';
import type { Cli } from './cli.ts';
import { addDefinitionsApply } from './definitions-apply.ts';
import { addDefinitionsList } from './definitions-list.ts';
import { addDefinitionsPause } from './definitions-pause.ts';
import { addDefinitionsPlan } from './definitions-plan.ts';
import { addDefinitionsResume } from './definitions-resume.ts';
import { addDefinitionsShow } from './definitions-show.ts';
import { addDemo } from './demo.ts';
import { addDryRun } from './dry-run.ts';
import { addEventsExplain } from './events-explain.ts';
import { addEventsList } from './events-list.ts';
import { addFeedback } from './feedback.ts';
import { addPromote } from './promote.ts';
import { addPublish } from './publish.ts';
import { addQuarantineDiscard } from './quarantine-discard.ts';
import { addQuarantineList } from './quarantine-list.ts';
import { addQuarantineRedrive } from './quarantine-redrive.ts';
import { addQuarantineShow } from './quarantine-show.ts';
import { addReview } from './review.ts';
import { addRun } from './run-definition.ts';
import { addRunsList } from './runs-list.ts';
import { addRunsRetry } from './runs-retry.ts';
import { addRunsShow } from './runs-show.ts';
import { addSmoke } from './smoke.ts';
import { addTasksDiscard } from './tasks-discard.ts';
import { addTasksList } from './tasks-list.ts';
import { addTasksResume } from './tasks-resume.ts';
import { addTicks } from './ticks.ts';
import { addTrust } from './trust.ts';
import { UsageError } from './usage-error.ts';

export function createProgram(cli: Cli): Command {
  const program = new Command('activity-core')
    .description('Turns schedules and NATS events into audited decisions and task specs.')
    .version(packageJson.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => cli.terminal.print(text.trimEnd()),
      writeErr: (text) => cli.terminal.warn(text.trimEnd()),
      getOutHelpWidth: () => cli.terminal.columns ?? 100,
      getErrHelpWidth: () => cli.terminal.columns ?? 100,
    })
    .configureHelp({
      optionDescription(option) {
        const described = new Help().optionDescription(option);
        return option.mandatory ? `${described} (required)` : described;
      },
    })
    .showHelpAfterError('(--help tells how it is used)');

  // In the order in which an operator meets them, under the headings of docs/cli.md.
  program.commandsGroup('Starting it:');
  addDev(program, cli);
  addServe(program, cli);
  addMigrate(program, cli);
  addDemo(program, cli);

  program.commandsGroup('Definitions:');
  addDefinitions(program, cli);
  addDryRun(program, cli);
  addBacktest(program, cli);
  addRun(program, cli);
  addTicks(program, cli);
  addBackfill(program, cli);

  program.commandsGroup('Events:');
  addPublish(program, cli);
  addEvents(program, cli);
  addQuarantine(program, cli);

  program.commandsGroup('Runs and tasks:');
  addRuns(program, cli);
  addTasks(program, cli);
  addReview(program, cli);
  addPromote(program, cli);
  addFeedback(program, cli);
  addTrust(program, cli);

  program.commandsGroup('Checks:');
  addEngagement(program, cli);
  addSmoke(program, cli);

  program.commandsGroup('Help:').helpCommand(true);
  return program;
}

function addDev(program: Command, cli: Cli): void {
  program
    .command('dev')
    .description('start real servers and activity-core on this machine, until Ctrl-C')
    .option('--state-dir <dir>', 'where data is kept (default: .activity-core)')
    .option('--ephemeral', 'in a temporary folder, which is removed at the end')
    .action(async ({ stateDir, ephemeral }: { stateDir?: string; ephemeral?: boolean }) => {
      if (stateDir && ephemeral) await refuseFull(stateDir);
      const { devCommand } = await import('./dev.ts');
      cli.end(await devCommand({ stateDir: stateDir ?? null, ephemeral: ephemeral === true }));
    });
}

function addServe(program: Command, cli: Cli): void {
  program
    .command('serve')
    .description('run activity-core against servers that run elsewhere')
    .option('--roles <roles>', 'which parts of it, with commas', 'worker,subscriber,api')
    .action(async (options: { roles: string }) => {
      const { serveCommand } = await import('./serve.ts');
      cli.end(await serveCommand(options));
    });
}

function addMigrate(program: Command, cli: Cli): void {
  program
    .command('migrate')
    .description('bring the database to this version')
    .option(
      '--service-role <name>',
      'a role that exists: grant it what the service needs, and take all else away',
    )
    .action(async (options: { serviceRole?: string }) => {
      const { migrateCommand } = await import('./migrate.ts');
      cli.end(await migrateCommand(options));
    });
}

function addDefinitions(program: Command, cli: Cli): void {
  const definitions = program.command('definitions').description('ActivityDefinitions and event types');
  addDefinitionsList(definitions, cli);
  addDefinitionsShow(definitions, cli);
  const { print } = cli.terminal;
  definitions
    .command('validate [paths...]')
    .description('check files or folders (default: DEFINITIONS_DIR); needs no server')
    .option('--json', 'print what was found as JSON')
    .action(async (paths: string[], options: { json?: boolean }) => {
      const { validateCommand } = await import('./definitions-validate.ts');
      const { createResolvers } = await import('../resolvers/registry.ts');
      const definitionsDir = relative(process.cwd(), cli.readConfig().DEFINITIONS_DIR) || '.';
      const json = options.json === true;
      cli.end(await validateCommand({ paths, definitionsDir, json, resolvers: createResolvers(), print }));
    });
  definitions
    .command('schema')
    .description('the JSON Schema that editors check files against')
    .addArgument(
      new Argument('[kind]').choices(['activity-definition', 'event-type']).default('activity-definition'),
    )
    .action(async (kind: 'activity-definition' | 'event-type') => {
      const { schemaCommand } = await import('./definitions-schema.ts');
      const { createResolvers } = await import('../resolvers/registry.ts');
      schemaCommand({ kind, resolvers: createResolvers(), print });
      cli.end(0);
    });
  addDefinitionsPlan(definitions, cli);
  addDefinitionsApply(definitions, cli);
  addDefinitionsPause(definitions, cli);
  addDefinitionsResume(definitions, cli);
}

function addEvents(program: Command, cli: Cli): void {
  const events = program.command('events').description('what was received');
  addEventsList(events, cli);
  addEventsExplain(events, cli);
}

function addQuarantine(program: Command, cli: Cli): void {
  const quarantine = program.command('quarantine').description('what was refused');
  addQuarantineList(quarantine, cli);
  addQuarantineShow(quarantine, cli);
  addQuarantineRedrive(quarantine, cli);
  addQuarantineDiscard(quarantine, cli);
}

function addRuns(program: Command, cli: Cli): void {
  const runs = program.command('runs').description('what ran, and why');
  addRunsList(runs, cli);
  addRunsShow(runs, cli);
  addRunsRetry(runs, cli);
}

function addTasks(program: Command, cli: Cli): void {
  const tasks = program.command('tasks').description('what runs asked for');
  addTasksList(tasks, cli);
  addTasksResume(tasks, cli);
  addTasksDiscard(tasks, cli);
}

function addEngagement(program: Command, cli: Cli): void {
  program
    .command('engagement')
    .description('kaizen engagements')
    .command('check')
    .description("compare the definitions' crons with those of the discovered repositories")
    .option('--json', 'print what was found as JSON')
    .action(async (options: { json?: boolean }) => {
      const { engagementCheckCommand } = await import('./engagement-check.ts');
      cli.end(await engagementCheckCommand(cli, { json: options.json === true }));
    });
}

/** The folder is removed at the end: it must not be one that somebody needs. */
async function refuseFull(stateDir: string): Promise<void> {
  let entries: string[];
  try {
    entries = await readdir(stateDir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new UsageError(`--state-dir ${stateDir} is no folder`, { cause: error });
  }
  if (entries.length === 0) return;
  throw new UsageError(
    `--ephemeral removes its folder at the end, and ${stateDir} is not empty; name an empty or new one, or leave --ephemeral out`,
  );
}
