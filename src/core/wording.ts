/** How messages to authors name what was found and what was probably meant. */
import { distance } from 'fastest-levenshtein';

const LONGEST_QUOTE = 60;
const SHORTEST_BEGINNING = 3;

/** A JSON value in a few words: the text itself where it is short, else its kind. */
export function describeFound(value: unknown): string {
  if (value === undefined || value === null) return 'nothing (null)';
  if (typeof value === 'string') return value === '' ? 'an empty text' : `the text ${quote(value)}`;
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') return 'a mapping';
  return quote(String(value));
}

/** `` `skip`, `buffer_one` ``. */
export function listNames(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}

/** The candidate that `name` is most likely a slip of, or the only one that begins with it; null where none is near. */
export function nearestName(name: string, candidates: Iterable<string>): string | null {
  const names = [...candidates];
  const longer = names.filter((candidate) => candidate.toLowerCase().startsWith(name.toLowerCase()));
  if (name.length >= SHORTEST_BEGINNING && longer.length === 1) return longer[0] ?? null;
  let nearest: string | null = null;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const away = distance(name.toLowerCase(), candidate.toLowerCase());
    if (away < least && away < candidate.length) [nearest, least] = [candidate, away];
  }
  return nearest;
}

/** `` ; did you mean `title`? `` or nothing. */
export function suggestion(name: string, candidates: Iterable<string>): string {
  const nearest = nearestName(name, candidates);
  return nearest === null ? '' : `; did you mean \`${nearest}\`?`;
}

/** In backticks, on one line, cut where it is long. */
export function quote(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > LONGEST_QUOTE ? `\`${line.slice(0, LONGEST_QUOTE)}…\`` : `\`${line}\``;
}
