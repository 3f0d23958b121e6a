/** Recorded inputs, page by page; while one is decided, the next is on its way. */
import type { ActivityCoreApi } from '../clients/activity-core-api.ts';
import { ApiProblemError } from '../clients/activity-core-api-errors.ts';
import { type Input, inputOfEvent, inputOfTick } from './recorded-outcome.ts';

const PAGE = 1000;
/** What a run's sources bound may be megabytes. */
const PAGE_WITH_CONTEXTS = 100;

export interface InputsWanted {
  definition: { id: string };
  /** Of events; null for ticks. */
  type: string | null;
  since: string;
  until: string;
  /** Also what sources and models answered. */
  context: boolean;
}

export type InputsApi = Pick<ActivityCoreApi, 'listRecordedEvents' | 'listRecordedTicks'>;

interface InputPage {
  inputs: Input[];
  next: string | null;
}

export async function* readInputs(api: InputsApi, wanted: InputsWanted): AsyncGenerator<Input[]> {
  const read = createPages(api, wanted);
  let coming: Promise<InputPage> | null = read(undefined);
  while (coming) {
    const { inputs, next }: InputPage = await coming;
    coming = next === null ? null : read(next);
    // What fails here is told when it is waited for.
    coming?.catch(() => undefined);
    yield inputs;
  }
}

/** A page that the service cannot read in its time is asked for with half as many inputs, and so are all after it. */
function createPages(
  api: InputsApi,
  wanted: InputsWanted,
): (cursor: string | undefined) => Promise<InputPage> {
  let limit = wanted.context ? PAGE_WITH_CONTEXTS : PAGE;
  return async function read(cursor) {
    try {
      return await readPage(api, wanted, { limit, cursor });
    } catch (error) {
      if (limit === 1 || !(error instanceof ApiProblemError) || error.code !== 'unavailable') throw error;
      limit = Math.floor(limit / 2);
      return read(cursor);
    }
  };
}

async function readPage(
  api: InputsApi,
  { definition, type, since, until, context }: InputsWanted,
  page: { limit: number; cursor: string | undefined },
): Promise<InputPage> {
  const query = { since, until, context: String(context), ...page };
  if (type === null) {
    const { items, next_cursor } = await api.listRecordedTicks(definition.id, query);
    return { inputs: items.map(inputOfTick), next: next_cursor };
  }
  const { items, next_cursor } = await api.listRecordedEvents(definition.id, { ...query, type });
  return { inputs: items.map(inputOfEvent), next: next_cursor };
}
