/** What may be posted for a chat completion, and how a refusal of it reads (OpenAI's shapes). */
import { z } from 'zod';

const completionRequestSchema = z.object({
  model: z.string().optional(),
  messages: z.array(z.object({ role: z.enum(['system', 'user', 'assistant']), content: z.string() })).min(1),
  temperature: z.number().min(0).max(2).optional(),
  max_tokens: z.int().min(1).optional(),
  stream: z.literal(false).optional(),
  response_format: z
    .discriminatedUnion('type', [
      z.object({ type: z.literal('text') }),
      z.object({
        type: z.literal('json_schema'),
        json_schema: z.object({
          name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
          strict: z.boolean().optional(),
          schema: z.record(z.string(), z.json()),
        }),
      }),
    ])
    .default({ type: 'text' }),
});
export type CompletionRequest = z.output<typeof completionRequestSchema>;

export interface Answer {
  status: number;
  body: object;
  headers?: Record<string, string>;
}

export const answered = (body: object): Answer => ({ status: 200, body });

export function refused(status: number, message: string, code: string): Answer {
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  return { status, body: { error: { message, type, param: null, code } } };
}

export type Parsed<T> = { ok: true; value: T } | { ok: false; answer: Answer };

export const parseCompletionRequest = (text: string): Parsed<CompletionRequest> =>
  parseBody(text, completionRequestSchema);

export function parseBody<T>(text: string, schema: z.ZodType<T>): Parsed<T> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    const message = `the body is not JSON: ${(error as Error).message}`;
    return { ok: false, answer: refused(400, message, 'invalid_request') };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { ok: true, value: parsed.data };
  const violations = parsed.error.issues.map(({ path, message }) => {
    return `${['body', ...path].join('.')}: ${message}`;
  });
  return { ok: false, answer: refused(400, violations.join('; '), 'invalid_request') };
}
