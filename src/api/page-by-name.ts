/** A page of what is held in memory and ordered by its name; the same shape as the pages of a table. */
import { InvalidCursorError, type Page, type PageRequest } from '../store/page.ts';

export function pageByName<Item>(
  items: Item[],
  nameOf: (item: Item) => string,
  request: PageRequest,
): Page<Item> {
  const after = request.cursor === undefined ? '' : decodeCursor(request.cursor);
  const sorted = items.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const rest = sorted.filter((item) => nameOf(item) > after);
  const page = rest.slice(0, request.limit);
  const last = page.at(-1);
  return { items: page, next_cursor: last && rest.length > page.length ? encodeCursor(nameOf(last)) : null };
}

const encodeCursor = (name: string): string => Buffer.from(JSON.stringify([name])).toString('base64url');

function decodeCursor(cursor: string): string {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch (error) {
    throw Object.assign(new InvalidCursorError(), { cause: error });
  }
  const [name] = Array.isArray(value) && value.length === 1 ? value : [];
  if (typeof name !== 'string') throw new InvalidCursorError();
  return name;
}
