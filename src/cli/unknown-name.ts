/** Why a list is empty: its filter may name what is not applied. Told on standard error, beside the list. */
import type { ActivityCoreApi, Query } from '../clients/activity-core-api.ts';
import type { Page } from '../clients/activity-core-api-shapes.ts';
import { quote, suggestion } from '../core/wording.ts';
import { printable } from './printable.ts';
import type { Terminal } from './terminal.ts';

/** `id`: of the filter; undefined where it was not given. */
export async function tellUnknownDefinition(
  terminal: Terminal,
  api: ActivityCoreApi,
  id: string | undefined,
): Promise<void> {
  if (id === undefined) return;
  const ids = await namesOf(api.listDefinitions, ({ definition_id }) => definition_id);
  if (!ids.includes(id))
    terminal.warn(printable(`no definition ${quote(id)} is applied${suggestion(id, ids)}`));
}

export async function tellUnknownType(
  terminal: Terminal,
  api: ActivityCoreApi,
  type: string | undefined,
): Promise<void> {
  if (type === undefined) return;
  const types = await namesOf(api.listEventTypes, (one) => one.type);
  if (!types.includes(type))
    terminal.warn(printable(`no event type ${quote(type)} is registered${suggestion(type, types)}`));
}

async function namesOf<Item>(
  list: (query: Query) => Promise<Page<Item>>,
  nameOf: (item: Item) => string,
): Promise<string[]> {
  const names: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page = await list({ limit: 500, cursor });
    names.push(...page.items.map(nameOf));
    cursor = page.next_cursor;
  }
  return names;
}
