/** The sink that makes real tasks: issue-core's answers (contract 7) as what they mean for the outbox. */
import { createIssueCoreClient, type IssueCoreAnswer, type IssueCoreOptions } from '../clients/issue-core.ts';
import type { Sink, SinkAnswer, SinkFault } from './sink.ts';

type Refusal = Extract<SinkAnswer, { fault: SinkFault }>;

/** What a status means that brings nothing hoped for; the first row counts. An answer that cannot be read is `unknown`. */
const RETRY_TABLE: readonly { from: number; to: number; outcome: Refusal['outcome'] }[] = [
  { from: 401, to: 401, outcome: 'unauthorized' },
  { from: 403, to: 403, outcome: 'unauthorized' },
  { from: 429, to: 429, outcome: 'not_taken' },
  { from: 400, to: 499, outcome: 'rejected' },
  { from: 0, to: Number.POSITIVE_INFINITY, outcome: 'unknown' },
];

export function createIssueCoreRestSink(options: IssueCoreOptions): Sink {
  const client = createIssueCoreClient(options);
  return {
    type: 'issue-core',

    async create(idempotencyKey, body) {
      const answer = await client.createTask(idempotencyKey, body);
      if (answer.kind !== 'answered') return refusalOf(answer);
      return { outcome: answer.status === 201 ? 'created' : 'known', ref: answer.body.ref };
    },

    async findOpen(dedupeKey) {
      const answer = await client.findOpenTasks(dedupeKey);
      if (answer.kind !== 'answered') return refusalOf(answer);
      return { outcome: 'found', refs: answer.body.items.map(({ ref }) => ref) };
    },

    async comment(ref, idempotencyKey, text) {
      const answer = await client.commentOnTask(ref, idempotencyKey, text);
      return answer.kind === 'answered' ? { outcome: 'commented' } : refusalOf(answer);
    },
  };
}

function refusalOf(answer: Exclude<IssueCoreAnswer<never>, { kind: 'answered' }>): Refusal {
  const { kind, status, fault } = answer;
  const { request, message, retry_after_ms } = fault;
  const kept: SinkFault = { request, status, message, answer: fault.answer };
  const outcome = kind === 'refused' ? outcomeOf(answer.status) : answer.wasSent ? 'unknown' : 'not_taken';
  if (outcome === 'rejected' || outcome === 'unauthorized') return { outcome, fault: kept };
  return { outcome, fault: kept, retry_after_ms };
}

const outcomeOf = (status: number): Refusal['outcome'] =>
  RETRY_TABLE.find(({ from, to }) => from <= status && status <= to)?.outcome ?? 'unknown';
