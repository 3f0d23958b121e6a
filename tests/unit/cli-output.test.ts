import { describe, expect, test } from 'vitest';
import { printList } from '../../src/cli/list-output.ts';
import { printable, printableJson, printableLines } from '../../src/cli/printable.ts';
import { type Column, printTable } from '../../src/cli/table.ts';
import { capturedTerminal } from '../setup/captured-cli.ts';

interface Row {
  id: string;
  title: string;
  n: number;
}

const columns: Column<Row>[] = [
  { title: 'ID', value: ({ id }) => id },
  { title: 'TITLE', value: ({ title }) => title, least: 8 },
  { title: 'N', value: ({ n }) => String(n), align: 'right' },
];

const rows: Row[] = [
  { id: 'a', title: 'Review coach in kaizen-agentic', n: 1 },
  { id: 'long-id', title: 'Short', n: 100 },
];

function table(width: number | null): string[] {
  const { terminal, out } = capturedTerminal(width);
  printTable(terminal, columns, rows);
  return out;
}

describe('a table', () => {
  test('is aligned, and whole where no terminal reads it', () => {
    expect(table(null)).toEqual([
      'ID       TITLE                             N',
      'a        Review coach in kaizen-agentic    1',
      'long-id  Short                           100',
    ]);
  });

  test('cuts what may be cut where the terminal is narrow', () => {
    expect(table(26)).toEqual([
      'ID       TITLE           N',
      'a        Review coac…    1',
      'long-id  Short         100',
    ]);
  });

  test('never cuts an id, however narrow the terminal', () => {
    expect(table(5)).toEqual(['ID       TITLE       N', 'a        Review …    1', 'long-id  Short     100']);
  });
});

describe('a list', () => {
  test('that is empty says so and what to try', () => {
    const { terminal, out } = capturedTerminal();
    printList(terminal, {
      page: { items: [], next_cursor: null },
      columns,
      empty: 'None. Try more.',
      json: false,
    });
    expect(out).toEqual(['None. Try more.']);
  });

  test('that goes on ends with how to go on', () => {
    const { terminal, out } = capturedTerminal();
    printList(terminal, { page: { items: rows, next_cursor: 'abc' }, columns, empty: '', json: false });
    expect(out.at(-1)).toBe('more: --cursor abc');
  });
});

describe('text from outside', () => {
  const hostile = 'a\u001b[31mred\u001b[0m\u0007\u009b2Jb\r\nc\u202ed\u2028e\u0000';

  test('reaches a terminal on one line without anything that it would obey', () => {
    expect(printable(hostile)).toBe('aredb cd e');
  });

  test('keeps its lines where there may be several', () => {
    expect(printableLines(hostile)).toEqual(['aredb', 'cd', 'e']);
  });

  test('is the same value in JSON, with control characters escaped', () => {
    const text = printableJson({ title: hostile });
    expect(text).not.toMatch(/[^\n\x20-\x7e]/);
    expect(JSON.parse(text)).toEqual({ title: hostile });
  });

  test('keeps letters of every script', () => {
    expect(printable('Überprüfung 審査 👩‍🔬')).toBe('Überprüfung 審査 👩‍🔬');
  });
});
