/** What the YAML parser complains of, in words that say what to write. */
import { quote } from './wording.ts';
import { inQuotes, valueAt } from './yaml-value.ts';

/** `pos`: where in the text. */
export interface YamlComplaint {
  code: string;
  message: string;
  pos: [number, number];
}

export const QUOTE_ALIAS = 'put a text that begins with `*` in quotes';

const NEIGHBOURS = 'begin it at the same column as its neighbours, with spaces';
/** What YAML reads a value as that begins so. */
const INDICATORS: ReadonlyMap<string, string> = new Map([
  ['!', 'a tag'],
  ['&', 'an anchor'],
  ['*', 'an alias'],
]);
const INDICATED = /(?:^|[:-])\s+([!&*].*)$/;
/** After `name:`, `-`, `,` or `[`. */
const UNQUOTED_TEMPLATE = /(?:^|[:,[-])\s+(\{\{.*)$/;
const TEXT_AFTER_QUOTES = /(?:^|[:-])\s+((["'])(?:(?!\2).)*\2\s*[^\s,#\]}].*)$/;

export function complaintInWords({ code, message, pos: [at] }: YamlComplaint, text: string): string {
  const line = lineAt(text, at);
  const template = valueBehind(UNQUOTED_TEMPLATE, line);
  if (template !== null && code !== 'TAB_AS_INDENT') {
    return `${quote(template)} begins with a brace, which YAML reads as its own; put the whole text in quotes`;
  }
  const quoted = valueBehind(TEXT_AFTER_QUOTES, line);
  if (quoted !== null && code === 'UNEXPECTED_TOKEN') {
    return `something follows the closing ${quoted.charAt(0)} of a text; put the whole value in quotes, as in ${quote(inQuotes(quoted))}, or on a line of its own below \`|\``;
  }
  const indicated = valueBehind(INDICATED, line);
  if (indicated !== null && code !== 'TAB_AS_INDENT') return indicatorInWords(indicated);
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'a tab stands in the indentation; YAML takes spaces only: put spaces in its place';
    case 'TAG_RESOLVE_FAILED':
      return indicatorInWords(valueAt(line, at - startOfLine(text, at)));
    case 'BAD_INDENT':
      return indentInWords(message);
    case 'BLOCK_AS_IMPLICIT_KEY':
      return `a second \`:\` makes a field within this value; put a text that holds \`: \` in quotes. If it is meant as a field, ${NEIGHBOURS}`;
    case 'MULTILINE_IMPLICIT_KEY':
    case 'MISSING_CHAR':
      return missingInWords(message);
    case 'BAD_SCALAR_START':
      return `a text cannot begin with ${quote(text.charAt(at))} unless it stands in quotes`;
    case 'NON_STRING_KEY':
      return 'expected a text as the key; a text that begins with `{` or `[` must stand in quotes';
    case 'BAD_ALIAS':
      return `${message}; ${QUOTE_ALIAS}`;
    default:
      return message;
  }
}

function indicatorInWords(value: string): string {
  const first = value.charAt(0);
  const reading = INDICATORS.get(first) ?? 'its own';
  return `${quote(value)} begins with \`${first}\`, which YAML reads as ${reading}; put the value in quotes, as in ${quote(inQuotes(value))}`;
}

/** `pattern` takes all from the value's beginning to the line's end. */
function valueBehind(pattern: RegExp, line: string): string | null {
  const rest = pattern.exec(line)?.[1];
  return rest === undefined ? null : valueAt(line, line.length - rest.length);
}

function indentInWords(message: string): string {
  if (/same column/.test(message)) {
    const what = message.includes('sequence') ? 'an element of a list' : 'a field';
    return `this is indented otherwise than ${what} beside it; ${NEIGHBOURS}`;
  }
  return message;
}

function missingInWords(message: string): string {
  if (/Implicit (map )?keys/.test(message)) {
    return `expected \`name: value\` here; ${NEIGHBOURS}. A text of several lines stands below \`|\` or \`>\``;
  }
  const closing = /Missing closing (["'])quote/.exec(message)?.[1];
  if (closing) return `a text that begins with ${closing} does not end; put ${closing} at its end`;
  if (/Sequence item without/.test(message)) return 'expected `- ` before an element of this list';
  if (/^Comments must/.test(message)) return 'put a space before `#`, or the text that holds it in quotes';
  return message;
}

function lineAt(text: string, at: number): string {
  const start = startOfLine(text, at);
  const end = text.indexOf('\n', start);
  return text.slice(start, end < 0 ? undefined : end).trimEnd();
}

function startOfLine(text: string, at: number): number {
  return text.lastIndexOf('\n', Math.min(at, text.length) - 1) + 1;
}
