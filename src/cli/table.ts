/** Aligned columns. Only on a terminal is anything cut: a file or a program gets every character. */
import { printable } from './printable.ts';
import type { Style, Terminal } from './terminal.ts';

export interface Column<Row> {
  title: string;
  value(row: Row): string;
  align?: 'right';
  /** May be cut to this width where the terminal is too narrow; columns without it never are. */
  least?: number;
  style?(row: Row): Style | null;
}

const GAP = '  ';

export function printTable<Row>(
  terminal: Terminal,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): void {
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row))));
  const widths = columns.map(({ title }, at) =>
    Math.max(lengthOf(title), ...cells.map((line) => lengthOf(line[at] ?? ''))),
  );
  fitInto(terminal.columns, widths, columns);
  const titles = columns.map((column, at) => fill(column.title, widths[at] ?? 0, column.align));
  terminal.print(terminal.style('dim', titles.join(GAP).trimEnd()));
  for (const [index, row] of rows.entries()) {
    const line = columns.map((column, at) => {
      const text = fill(cells[index]?.[at] ?? '', widths[at] ?? 0, column.align);
      const style = column.style?.(row);
      return style ? terminal.style(style, text) : text;
    });
    terminal.print(line.join(GAP).trimEnd());
  }
}

/** Cut to `width`, the last character told as `…`. */
export function cutTo(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, Math.max(0, width - 1)).join('')}…`;
}

/** The widest column that may shrink does, until the line fits or none can. */
function fitInto<Row>(available: number | null, widths: number[], columns: readonly Column<Row>[]): void {
  if (available === null) return;
  const total = () => widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1));
  for (let excess = total() - available; excess > 0; excess = total() - available) {
    let widest = -1;
    for (const [at, { least }] of columns.entries()) {
      const width = widths[at] ?? 0;
      if (least !== undefined && width > least && width > (widths[widest] ?? 0)) widest = at;
    }
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function fill(text: string, width: number, align: 'right' | undefined): string {
  const cut = cutTo(text, width);
  const space = ' '.repeat(Math.max(0, width - lengthOf(cut)));
  return align === 'right' ? space + cut : cut + space;
}

const lengthOf = (text: string): number => [...text].length;
