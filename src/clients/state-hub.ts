/** State Hub's HTTP API (contract 8), as far as activity-core uses it. Nothing is retried here. */
import { type Listing, listFromStateHub } from './state-hub-listing.ts';
import { createAskStateHub, StateHubError, type StateHubOptions } from './state-hub-request.ts';
import {
  type Engagement,
  engagementSchema,
  filedProgressSchema,
  type HubProgress,
  type HubTask,
  type HubWorkstream,
  progressSchema,
  taskSchema,
  workstreamSchema,
} from './state-hub-shapes.ts';

export type { Listing } from './state-hub-listing.ts';
export { StateHubError, type StateHubOptions } from './state-hub-request.ts';
export type { Engagement, HubProgress, HubTask, HubWorkstream } from './state-hub-shapes.ts';

/** @throws StateHubError */
export interface StateHubClient {
  /** `GET /engagements/{slug}`. Null where State Hub knows no such engagement; `roster_path` null where it has none. */
  getEngagement(slug: string): Promise<Engagement | null>;
  /** The active ones. An item without an id fails the whole list. */
  listWorkstreams(): Promise<Listing<HubWorkstream>>;
  /** The open ones. An item without an id fails the whole list. */
  listTasks(): Promise<Listing<HubTask>>;
  /** `POST /progress`. `created` is false where State Hub knows the key; nothing is filed a second time. */
  postProgress(progress: NewProgress): Promise<{ id: string; created: boolean }>;
  listProgress(filter: { event_type: string; since: string }): Promise<Listing<HubProgress>>;
}

/** `author`: `activity-core`. */
export interface NewProgress {
  event_type: string;
  summary: string;
  detail: object;
  author: string;
  idempotency_key: string;
}

export function createStateHubClient(options: StateHubOptions): StateHubClient {
  const ask = createAskStateHub(options);
  return {
    async getEngagement(slug) {
      // They would climb out of the path.
      if (slug === '.' || slug === '..') return null;
      const path = `/engagements/${encodeURIComponent(slug)}`;
      try {
        return (await ask({ method: 'GET', path, accepts: [200], schema: engagementSchema })).body;
      } catch (error) {
        if (error instanceof StateHubError && error.status === 404) return null;
        throw error;
      }
    },
    listWorkstreams: () => listFromStateHub(ask, '/workstreams', { status: 'active' }, workstreamSchema),
    listTasks: () => listFromStateHub(ask, '/tasks', { status: 'open' }, taskSchema),
    async postProgress({ event_type, summary, detail, author, idempotency_key }) {
      const { status, body } = await ask({
        method: 'POST',
        path: '/progress',
        body: { event_type, summary, detail, author, idempotency_key },
        accepts: [200, 201],
        schema: filedProgressSchema,
      });
      return { id: body.id, created: status === 201 };
    },
    listProgress: ({ event_type, since }) =>
      listFromStateHub(ask, '/progress', { event_type, since }, progressSchema),
  };
}
