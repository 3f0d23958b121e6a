/** Recorded inputs, page by page; while one is decided, the next is on its way. */
import type { ActivityCoreApi } from '../clients/activity-core-api.ts';
import { type Input, inputOfEvent, inputOfTick } from './recorded-outcome.ts';

const PAGE = 1000;

export interface InputsWanted {
  definition: { id: string };
  /** Of events; null for ticks. */
  type: string | null;
  since: string;
  until: string;
  /** Also what sources and models answered. */
  context: boolean;
}

type Api = Pick<ActivityCoreApi, 'listRecordedEvents' | 'listRecordedTicks'>;

interface InputPage {
  inputs: Input[];
  next: string | null;
}

export async function* readInputs(api: Api, wanted: InputsWanted): AsyncGenerator<Input[]> {
  let coming: Promise<InputPage> | null = readPage(api, wanted, undefined);
  while (coming) {
    const { inputs, next }: InputPage = await coming;
    coming = next === null ? null : readPage(api, wanted, next);
    // What fails here is told when it is waited for.
    coming?.catch(() => undefined);
    yield inputs;
  }
}

async function readPage(api: Api, wanted: InputsWanted, cursor: string | undefined): Promise<InputPage> {
  const { definition, type, since, until, context } = wanted;
  const query = { since, until, context: String(context), limit: PAGE, cursor };
  if (type === null) {
    const { items, next_cursor } = await api.listRecordedTicks(definition.id, query);
    return { inputs: items.map(inputOfTick), next: next_cursor };
  }
  const { items, next_cursor } = await api.listRecordedEvents(definition.id, { ...query, type });
  return { inputs: items.map(inputOfEvent), next: next_cursor };
}
