/** `quarantine show` */
import type { Command } from 'commander';
import type { Quarantined } from '../clients/activity-core-api-shapes.ts';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { fieldLines, indent } from './details.ts';
import { printable, printableLines } from './printable.ts';
import { styleOf } from './status-style.ts';
import type { Terminal } from './terminal.ts';
import { shortTime } from './time.ts';

const SHOWN_BYTES = 4096;

export function addQuarantineShow(quarantine: Command, cli: Cli): void {
  apiCommand(quarantine, 'show <id>', 'one refused event, whole, and why it was refused').action(
    async (id: string, options: ApiOptions) => {
      const quarantined = await (await connectApi(cli, options)).getQuarantined(id);
      if (options.json) printJson(cli.terminal, quarantined);
      else cli.terminal.print(story(cli.terminal, quarantined).join('\n'));
      cli.end(0);
    },
  );
}

function story(terminal: Terminal, quarantined: Quarantined): string[] {
  const { id, event_id, state, received_at, subject, reason, size } = quarantined;
  const style = styleOf(state);
  const head = fieldLines(terminal, [
    ['event', event_id ?? null],
    ['reason', reason],
    ['subject', subject],
    ['received', shortTime(received_at)],
    ['bytes', String(size)],
  ]);
  return [
    `quarantined ${id} ${style ? terminal.style(style, state) : state}`,
    ...indent(head),
    '',
    'Why it was refused',
    ...indent(violationLines(quarantined.violations)),
    ...headerLines(terminal, quarantined.headers ?? {}),
    '',
    'What was received',
    ...indent(payloadLines(Buffer.from(quarantined.bytes_base64 ?? '', 'base64'))),
    ...(state === 'open'
      ? ['', `Once the cause is mended: activity-core quarantine redrive ${id} --dry-run`]
      : []),
  ];
}

export function violationLines(violations: Quarantined['violations']): string[] {
  return violations.map(
    ({ pointer, message }) => `${printable(pointer) || '(whole)'}: ${printable(message)}`,
  );
}

function headerLines(terminal: Terminal, headers: Record<string, string | string[]>): string[] {
  const entries = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [printable(name), value]),
  );
  return entries.length > 0 ? ['', 'Headers', ...indent(fieldLines(terminal, entries))] : [];
}

/** Text where it is text, else hexadecimal. */
function payloadLines(bytes: Buffer): string[] {
  const shown = bytes.subarray(0, SHOWN_BYTES);
  const text = shown.toString('utf8');
  const lines = text.includes('\ufffd')
    ? (shown.toString('hex').match(/.{1,64}/g) ?? [])
    : printableLines(text.trimEnd());
  const rest = bytes.byteLength - shown.byteLength;
  return rest > 0 ? [...lines, `… and ${rest} bytes more: --json has them all, in bytes_base64`] : lines;
}
