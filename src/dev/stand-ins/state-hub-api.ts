/** What State Hub answers (contract 8), when nothing is wrong with it. */
import { z } from 'zod';
import { type Answer, answered, notFound, notServed, type Received, refused } from './issue-core-answer.ts';
import type { StandInHubTask, StandInWorkstream } from './state-hub-content.ts';
import { type ProgressBook, progressBodySchema, type StandInProgress } from './state-hub-progress.ts';

export interface HubContent {
  /** By slug; `roster_path` is relative to KAIZEN_REPOS_ROOT. */
  engagements: Readonly<Record<string, { roster_path: string }>>;
  workstreams: readonly StandInWorkstream[];
  tasks: readonly StandInHubTask[];
}

const PAGE_SIZE = 10;

export function answerAsStateHub(received: Received, content: HubContent, book: ProgressBook): Answer {
  const { method, path } = received;
  if (path === '/progress' && method === 'POST') return fileProgress(received, book);
  if (method !== 'GET') return notServed(received);
  if (path === '/workstreams') return pageOf(content.workstreams, received);
  if (path === '/tasks') return pageOf(content.tasks, received);
  if (path === '/progress') return listProgress(received, book.all());
  const [, slug] = /^\/engagements\/([^/]+)$/.exec(path) ?? [];
  const known = Object.entries(content.engagements).find(([name]) => name === slug);
  if (known) return answered(200, { slug, ...known[1] });
  return notFound(slug === undefined ? path : `engagement ${slug}`);
}

/** The cursor is the id of the last item that was told. */
function pageOf(all: readonly { id: string; status: string }[], { query }: Received): Answer {
  const unknown = unknownFilter(query, ['status', 'cursor']);
  if (unknown) return unknown;
  const [status, cursor] = [query.get('status'), query.get('cursor')];
  const wanted = all.filter((item) => status === null || item.status === status);
  const last = wanted.findIndex(({ id }) => id === cursor);
  if (cursor !== null && last === -1) return invalid('cursor is none that was given out');
  const items = wanted.slice(last + 1, last + 1 + PAGE_SIZE);
  const isLast = last + 1 + PAGE_SIZE >= wanted.length;
  return answered(200, { items, next_cursor: isLast ? null : (items.at(-1)?.id ?? null) });
}

function listProgress({ query }: Received, all: readonly StandInProgress[]): Answer {
  const unknown = unknownFilter(query, ['event_type', 'since']);
  if (unknown) return unknown;
  const [eventType, since] = [query.get('event_type'), query.get('since')];
  const from = since === null ? null : z.iso.datetime({ offset: true }).safeParse(since);
  if (from && !from.success) return invalid('since is no RFC 3339 time, as in 2026-11-20T08:15:00Z');
  const items = all
    .filter(({ event_type }) => eventType === null || event_type === eventType)
    .filter(({ created_at }) => !from || Date.parse(created_at) >= Date.parse(from.data));
  return answered(200, { items, next_cursor: null });
}

function fileProgress({ text }: Received, book: ProgressBook): Answer {
  const body = parseHubBody(text, progressBodySchema);
  if (!body.ok) return body.answer;
  const { entry, isNew } = book.file(body.value);
  return answered(isNew ? 201 : 200, { id: entry.id });
}

export type ParsedHubBody<T> = { ok: true; value: T } | { ok: false; answer: Answer };

export function parseHubBody<T>(text: string, schema: z.ZodType<T>): ParsedHubBody<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { ok: false, answer: invalid(`the body is not JSON: ${error.message}`) };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { ok: true, value: parsed.data };
  const violations = parsed.error.issues.map(
    ({ path, message }) => `${['body', ...path].join('.')}: ${message}`,
  );
  return { ok: false, answer: invalid(violations.join('; ')) };
}

/** A filter that is not known would answer with too much. */
function unknownFilter(query: URLSearchParams, known: string[]): Answer | null {
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  return unknown === undefined ? null : invalid(`${unknown} is no filter: ${known.join(', ')}`);
}

const invalid = (message: string): Answer => refused(400, 'invalid_request', message);
