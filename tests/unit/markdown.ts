/** Reading documents: what stands below a heading, in a table, in prose. */
import { readFileSync } from 'node:fs';

export const read = (file: string) => readFileSync(file, 'utf8');

/** The text without what is quoted in blocks. */
export const prose = (file: string) => read(file).replaceAll(/^```.*?^```$/gms, '');
export const matches = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map(([, first]) => first ?? '');

/** The lines below a heading, up to the next heading of any level. */
export function section(file: string, heading: string): string {
  const [, below] = read(file).split(`\n${heading}\n`);
  if (below === undefined) throw new Error(`${file} has no heading ${heading}`);
  return below.split(/\n#+ /)[0] ?? '';
}

/** The cells of each row of the tables in a text, without the heads. */
export function rows(text: string): string[][] {
  return [...text.matchAll(/^\|(?:.*\|)\n\|[-|]+\|\n((?:\|.*\|\n)+)/gm)].flatMap(([, body]) =>
    (body ?? '')
      .trimEnd()
      .split('\n')
      .map((row) =>
        row
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      ),
  );
}

export const codes = (cell: string | undefined) => matches(cell ?? '', /`([^`]+)`/g);
