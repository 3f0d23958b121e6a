/** `backfill`: the runs that a schedule missed, first previewed, then started. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Backfill } from '../clients/activity-core-api-shapes.ts';
import type { JsonObject } from '../core/json.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { count } from './details.ts';
import { parseMoment } from './time.ts';

interface Options extends ApiOptions {
  from: string;
  to?: string;
  max?: number;
  dryRun?: boolean;
  reason?: string;
}

const MOST = 10_000;

export function addBackfill(program: Command, cli: Cli): void {
  apiCommand(program, 'backfill <definition>', 'start the runs that a schedule missed')
    .requiredOption('--from <time>', 'the first time that counts: RFC 3339, or a while ago (2h, 7d)')
    .option('--to <time>', 'the last time that counts (default: now)')
    .option('--max <n>', `how many runs to start at most, 1 to ${MOST} (default: 100)`, parseMax)
    .option('--dry-run', 'only tell what would start')
    .option('--reason <text>', 'why, for the record')
    .action(async (definition: string, options: Options) => {
      const { from, to, max, reason, dryRun, json } = options;
      const now = cli.now();
      const body: JsonObject = { from: parseMoment('--from', from, now) };
      // Without it the service's own now counts: this machine's clock may be ahead.
      if (to !== undefined) body.to = parseMoment('--to', to, now);
      if (max !== undefined) body.max = max;
      if (reason !== undefined) body.reason = reason;
      const api = await connectApi(cli, options);
      cli.end(0);
      if (json) {
        return printJson(cli.terminal, await api.backfill(definition, { ...body, dry_run: dryRun === true }));
      }
      const preview = await api.backfill(definition, { ...body, dry_run: true });
      cli.terminal.print(previewText(preview));
      if (dryRun) return;
      if (!preview.would_start) return cli.terminal.print('Nothing to start.');
      const backfill = await api.backfill(definition, { ...body, to: preview.to, dry_run: false });
      cli.terminal.print(startedText(backfill));
      cli.terminal.print(
        `What comes of them: activity-core runs list --definition ${definition} --trigger manual`,
      );
    });
}

/** `31 ticks, 4 have runs, 27 would start`. */
function previewText({ ticks, have_runs, pending, would_start = 0, remaining }: Backfill): string {
  const parts = [count(ticks, 'tick'), `${have_runs} ${have_runs === 1 ? 'has a run' : 'have runs'}`];
  if (pending > 0) parts.push(`${pending} pending`);
  parts.push(`${would_start + remaining} would start`);
  if (remaining > 0) parts.push(`${would_start} of them now`);
  return parts.join(', ');
}

function startedText({ started = 0, remaining }: Backfill): string {
  if (remaining === 0) return `Started ${count(started, 'run')}.`;
  const left = remaining === 1 ? '1 is left' : `${remaining} are left`;
  return `Started ${started} of ${started + remaining}; ${left}: run it again.`;
}

function parseMax(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) < 1 || Number(text) > MOST) {
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${MOST}.`);
  }
  return Number(text);
}
