/** What all lists have in common: a page's filters, its JSON, its table, and where it goes on. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Page } from '../clients/activity-core-api-shapes.ts';
import { type ApiOptions, printJson } from './cli.ts';
import { type Column, printTable } from './table.ts';
import type { Terminal } from './terminal.ts';

export interface PageOptions extends ApiOptions {
  limit?: number;
  cursor?: string;
}

export interface List<Row> {
  page: Page<Row>;
  columns: readonly Column<Row>[];
  /** Said of an empty list, with what to try. */
  empty: string;
  json: boolean | undefined;
}

export function withPage(command: Command): Command {
  return command
    .option('--limit <n>', 'how many, 1 to 500 (default: 50)', parseLimit)
    .option('--cursor <cursor>', 'go on after an earlier list');
}

export function printList<Row>(terminal: Terminal, { page, columns, empty, json }: List<Row>): void {
  if (json) printJson(terminal, page);
  else if (page.items.length === 0) terminal.print(empty);
  else {
    printTable(terminal, columns, page.items);
    if (page.next_cursor) terminal.print(terminal.style('dim', `more: --cursor ${page.next_cursor}`));
  }
}

function parseLimit(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) < 1 || Number(text) > 500) {
    throw new InvalidArgumentError('Expected a whole number from 1 to 500.');
  }
  return Number(text);
}
