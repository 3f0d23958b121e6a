/** A plain value in a line of YAML that does not parse, and the same value in quotes. */

/** Without the comment behind it, and without what follows it in a flow mapping or list. */
export function valueAt(line: string, start: number): string {
  const isInFlow = isFlowOpen(line.slice(0, start));
  let open = 0;
  for (const [at, character] of outsideQuotes(line, start)) {
    if ('([{'.includes(character)) open += 1;
    else if (']}'.includes(character) || (character === ')' && open > 0)) open -= 1;
    const rest = line.slice(at + 1);
    const isNext = character === ',' && open === 0 && (isInFlow ? /^(\s|$)/ : /^\s*(#|$)/).test(rest);
    const isComment = character === '#' && /\s/.test(line.charAt(at - 1));
    if (open < 0 || isNext || isComment) return line.slice(start, at).trim();
  }
  return line.slice(start).trim();
}

/** `!a` → `'!a'`. */
export function inQuotes(value: string): string {
  if (!value.includes("'")) return `'${value}'`;
  return /["\\]/.test(value) ? `'${value.replaceAll("'", "''")}'` : `"${value}"`;
}

function isFlowOpen(text: string): boolean {
  let open = 0;
  for (const [, character] of outsideQuotes(text, 0)) {
    if ('[{'.includes(character)) open += 1;
    else if (']}'.includes(character)) open -= 1;
  }
  return open > 0;
}

function* outsideQuotes(text: string, start: number): Generator<[at: number, character: string]> {
  for (let at = start; at < text.length; at += 1) {
    const character = text.charAt(at);
    // The apostrophe of a word opens nothing.
    const opens = /["']/.test(character) && !/\w/.test(text.charAt(at - 1));
    const end = opens ? text.indexOf(character, at + 1) : -1;
    if (end < 0) yield [at, character];
    else at = end;
  }
}
