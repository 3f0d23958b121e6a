/** A list of State Hub, page after page, within bounds: a list that never ends is no list. */
import type { z } from 'zod';
import { type AskStateHub, StateHubError } from './state-hub-request.ts';
import { pageOf } from './state-hub-shapes.ts';

export interface Listing<Item> {
  /** In the order in which they came. One that came twice, because the list changed meanwhile, is there once, as it came last. */
  items: Item[];
  /** There is more than was read. */
  truncated: boolean;
}

const MAX_PAGES = 200;
const MAX_ITEMS = 10_000;
const MAX_CHARACTERS = 32 * 1024 * 1024;
/** For all pages together. */
const TIMEOUT_MS = 60_000;

/** @throws StateHubError */
export async function listFromStateHub<Item extends { id: string }>(
  ask: AskStateHub,
  path: string,
  query: Record<string, string>,
  item: z.ZodType<Item>,
): Promise<Listing<Item>> {
  const found = new Map<string, Item>();
  const cursors = new Set<string>();
  const schema = pageOf(item);
  const end = performance.now() + TIMEOUT_MS;
  let characters = 0;
  let cursor: string | null = null;
  for (let pages = 1; ; pages++) {
    const timeoutMs = Math.floor(end - performance.now());
    if (timeoutMs <= 0) throw faultOf(path, `not all of its pages came within ${TIMEOUT_MS / 1000} s`);
    const asked: Record<string, string> = cursor === null ? query : { ...query, cursor };
    const { body, length } = await ask({
      method: 'GET',
      path,
      query: asked,
      accepts: [200],
      schema,
      timeoutMs,
    });
    for (const one of body.items) found.set(one.id, one);
    cursor = body.next_cursor;
    characters += length;
    const isFull = pages >= MAX_PAGES || found.size >= MAX_ITEMS || characters >= MAX_CHARACTERS;
    if (cursor === null || isFull) break;
    if (cursors.has(cursor)) throw faultOf(path, 'its pages go in a circle: a next_cursor came twice');
    cursors.add(cursor);
  }
  const items = [...found.values()];
  return { items: items.slice(0, MAX_ITEMS), truncated: cursor !== null || items.length > MAX_ITEMS };
}

function faultOf(path: string, what: string): StateHubError {
  return new StateHubError(`State Hub, GET ${path}: ${what}`, { status: 200, retryable: true });
}
