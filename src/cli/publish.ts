/** `publish`: envelopes into NATS, acknowledged by JetStream. */
import type { Command } from 'commander';
import { resolveNatsAddress } from './address.ts';
import { type Cli, type ExitCode, printJson } from './cli.ts';
import { printable } from './printable.ts';
import { type Outgoing, readOutgoing, splitLines } from './publish-envelope.ts';
import { connectPublisher, type Published, type Publisher } from './publish-nats.ts';
import { UsageError } from './usage-error.ts';

interface Options {
  nats?: string;
  subject?: string;
  lines?: boolean;
  /** `--no-msg-id` makes it false. */
  msgId: boolean;
  json?: boolean;
}

/** In flight at once: enough to fill JetStream's pipeline, few enough to be acknowledged in time. */
const WINDOW = 100;

export function addPublish(program: Command, cli: Cli): void {
  program
    .command('publish <file>')
    .description('publish an event envelope (JSON; - reads standard input)')
    .option(
      '--nats <url>',
      'the server (default: NATS_URL, else that of .activity-core/dev.json, else nats://127.0.0.1:4222)',
    )
    .option('--subject <subject>', 'instead of activity.<type>; then anything may be published')
    .option('--lines', 'the file holds one envelope a line')
    .option('--no-msg-id', 'without Nats-Msg-Id, so that JetStream itself finds no duplicates')
    .option('--json', 'print what JetStream acknowledged as JSON, one object an envelope')
    .action(async (file: string, options: Options) => {
      const { NATS_URL: environment, NATS_CREDS_FILE: credsFile } = cli.readConfig();
      const messages = outgoingOf(file, await cli.readInput(file), options);
      const { nats: option } = options;
      const { apiAddress, readDevFile: devFile } = cli;
      const address = await resolveNatsAddress({ option, environment, devFile, apiAddress });
      if (address.doubt) cli.terminal.warn(`warning: ${address.doubt}`);
      const publisher = await connectPublisher(address, credsFile);
      if (!publisher.ok) {
        cli.terminal.warn(`error: ${publisher.message}`);
        return cli.end(1);
      }
      try {
        cli.end(await publishAll(cli, publisher, messages, options.json === true));
      } finally {
        await publisher.close();
      }
    });
}

function outgoingOf(file: string, bytes: Uint8Array, { subject, lines, msgId }: Options): Outgoing[] {
  const place = file === '-' ? 'standard input' : file;
  if (!lines) return [readOutgoing(bytes, { place, subject, msgId })];
  const messages = splitLines(bytes).map(({ line, number }) =>
    readOutgoing(line, { place: `${place}:${number}`, subject, msgId }),
  );
  if (messages.length === 0) throw new UsageError(`${place} is empty; expected an envelope on each line`);
  return messages;
}

/** In the order given; ends with the first window in which something was not acknowledged. */
async function publishAll(
  { terminal }: Cli,
  publisher: Publisher,
  messages: readonly Outgoing[],
  json: boolean,
): Promise<ExitCode> {
  for (let start = 0; start < messages.length; start += WINDOW) {
    const window = messages.slice(start, start + WINDOW);
    const outcomes = await Promise.all(window.map((message) => publisher.publish(message)));
    let refused = 0;
    for (const [index, outcome] of outcomes.entries()) {
      if (!outcome.ok) {
        refused += 1;
        terminal.warn(`error: ${window[index]?.name} was not acknowledged: ${printable(outcome.message)}`);
      } else if (json) printJson(terminal, outcome.ack);
      else terminal.print(told(window[index]?.name ?? '', publisher.server, outcome.ack));
    }
    if (refused === 0) continue;
    const left = messages.length - start - window.length;
    if (left > 0) terminal.warn(`error: ${left} more were not published`);
    return 1;
  }
  return 0;
}

function told(name: string, server: string, { subject, stream, sequence, duplicate }: Published): string {
  const where = `${name} on ${subject}: NATS ${server}, stream ${stream}, sequence ${sequence}`;
  if (!duplicate) return `Published ${where}`;
  return `Published ${where}, duplicate: true. JetStream has had this id moments ago and did not store it again; --no-msg-id sends it through.`;
}
