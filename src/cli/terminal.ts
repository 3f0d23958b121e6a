/** Where a command's output goes, and what that place can show. */
import { styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

export interface Terminal {
  /** Standard output: one line, or several. */
  print(text: string): void;
  /** Standard error. */
  warn(text: string): void;
  /** The width of a terminal; null where a file or another program reads. */
  readonly columns: number | null;
  /** Coloured on a terminal that wants colours (NO_COLOR), else the text as it is. */
  style(style: Style, text: string): string;
}

export function createTerminal(stdout: NodeJS.WriteStream, stderr: NodeJS.WriteStream): Terminal {
  return {
    print: (text) => void stdout.write(`${text}\n`),
    warn: (text) => void stderr.write(`${text}\n`),
    columns: stdout.isTTY ? stdout.columns : null,
    style: (style, text) => (text ? styleText(style, text, { stream: stdout }) : ''),
  };
}
