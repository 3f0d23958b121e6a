/** The tasks that a prompt tells of: whatever JSON in it looks like a list of them. */

export interface PromptTask {
  id: string;
  title: string;
  [field: string]: unknown;
}

export interface PromptData {
  /** As they stand in the prompt: by WSJF where the prompt's author sorted them. */
  ranked: PromptTask[];
  /** Those that could not be ranked. */
  unranked: { id: string; missing: string[] }[];
}

/** A text full of braces must not take for ever. */
const MAX_SCANNED_IN_VAIN = 4_000_000;

export function readPromptData(messages: readonly { content: string }[]): PromptData {
  const values = messages.flatMap(({ content }) => jsonIn(content));
  const lists = values.flatMap(listsIn);
  const ranked = longest(lists.map((list) => list.filter(isTask)));
  const unranked = longest(lists.map((list) => list.filter(isUnranked)));
  return { ranked, unranked };
}

function jsonIn(text: string): unknown[] {
  const found: unknown[] = [];
  const opening = /[{[]/g;
  let inVain = 0;
  for (let at = opening.exec(text); at && inVain < MAX_SCANNED_IN_VAIN; at = opening.exec(text)) {
    const end = endOfValue(text, at.index);
    const value = end === null ? undefined : parse(text.slice(at.index, end));
    if (end === null || value === undefined) inVain += (end ?? text.length) - at.index;
    else {
      found.push(value);
      opening.lastIndex = end;
    }
  }
  return found;
}

/** Behind the bracket that closes the one at `start`. */
function endOfValue(text: string, start: number): number | null {
  const mark = /"[^"\\]*(?:\\[\s\S][^"\\]*)*"|[{}[\]]/g;
  mark.lastIndex = start;
  let depth = 0;
  for (let found = mark.exec(text); found; found = mark.exec(text)) {
    if (found[0] === '{' || found[0] === '[') depth += 1;
    else if (found[0] === '}' || found[0] === ']') depth -= 1;
    if (depth === 0) return mark.lastIndex;
  }
  return null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function listsIn(value: unknown): unknown[][] {
  if (typeof value !== 'object' || value === null) return [];
  const below = Object.values(value).flatMap(listsIn);
  return Array.isArray(value) ? [value, ...below] : below;
}

function isTask(value: unknown): value is PromptTask {
  return (
    isRecord(value) && typeof value.id === 'string' && typeof value.title === 'string' && 'wsjf' in value
  );
}

function isUnranked(value: unknown): value is { id: string; missing: string[] } {
  return isRecord(value) && typeof value.id === 'string' && Array.isArray(value.missing);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const longest = <T>(lists: T[][]): T[] =>
  lists.reduce((best, list) => (list.length > best.length ? list : best), []);
