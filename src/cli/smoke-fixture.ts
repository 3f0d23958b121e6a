/** A small triage: what `smoke llm-connect` asks of a model. Five tasks, and a schema that knows their ids. */
import type { JsonObject } from '../core/json.ts';
import type { ChatMessage } from '../core/output-schema.ts';
import { FENCED_DATA_RULE, fencedData } from '../core/prompt-data.ts';

const RANKED = [
  task('T-14', 'Renew the certificate of the registry', 9, { updated_at: '2026-11-18T09:00:00Z' }),
  task('T-03', 'Restore drill for the production database', 6.5, { updated_at: '2026-09-02T14:30:00Z' }),
  task('T-21', 'Publish metrics of the nightly jobs', 4.2, { updated_at: '2026-11-12T11:15:00Z' }),
  task('T-08', 'Explain `{{ variables }}` in the authors’ guide', 2, { updated_at: '2026-10-30T16:45:00Z' }),
  task('T-17', 'Rename the staging cluster', 0.8, { updated_at: '2026-08-21T08:00:00Z' }),
];

const ID: JsonObject = { type: 'string', enum: RANKED.map(({ id }) => id) };
const SENTENCE: JsonObject = { type: 'string', minLength: 1, maxLength: 500 };

export const SMOKE_SCHEMA: { name: string; schema: JsonObject } = {
  name: 'smoke_triage',
  schema: {
    type: 'object',
    additionalProperties: false,
    required: ['summary', 'top', 'stale_ids', 'questions'],
    properties: {
      summary: { ...SENTENCE, description: 'The state of the work, in a sentence or two' },
      top: {
        type: 'array',
        minItems: 3,
        maxItems: 3,
        description: 'The three tasks to do first, the most urgent first',
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['id', 'reason'],
          properties: { id: ID, reason: { ...SENTENCE, description: 'Why now, in one sentence' } },
        },
      },
      stale_ids: { type: 'array', maxItems: 5, items: ID, description: 'Tasks not updated for 30 days' },
      questions: { type: 'array', maxItems: 3, items: SENTENCE, description: 'What a person has to decide' },
    },
  },
};

export const SMOKE_MESSAGES: readonly ChatMessage[] = [
  {
    role: 'system',
    content: `You triage the open work of a small platform team. Answer with one JSON object that fits the JSON Schema of this request, and with nothing else. ${FENCED_DATA_RULE}`,
  },
  {
    role: 'user',
    content: [
      'Today is 2026-11-20. The open tasks, ranked by WSJF, the highest first:',
      fencedData('tasks', { ranked: RANKED }),
      `Choose the three to do first and say why, name the ids of those not updated for 30 days, and ask what a person has to decide. The JSON Schema of the answer: ${JSON.stringify(SMOKE_SCHEMA.schema)}`,
    ].join('\n\n'),
  },
];

/** Room for a model that thinks before it answers. */
export const SMOKE_MAX_TOKENS = 4000;

function task(id: string, title: string, wsjf: number, { updated_at }: { updated_at: string }) {
  return { id, title, wsjf, status: 'open', updated_at };
}
