/** Tells State Hub of a run, as progress. Filed again under its key, it is the same progress (contract 8). */
import { z } from 'zod';
import { type StateHubClient, StateHubError } from '../clients/state-hub.ts';
import { cut, TRUNCATED } from '../core/expression-values.ts';
import type { Json, JsonObject } from '../core/json.ts';
import { storableText } from '../core/storable.ts';
import { listNames } from '../core/wording.ts';
import { type FileReport, ReportError, type ReportShape, type ReportSink } from './report-sink.ts';
import { identityOf, RUN_IDENTITY } from './run-identity.ts';

const SINK = 'state-hub-progress';
const LONGEST_SUMMARY = 2000;
const MAX_DETAIL_BYTES = 256 * 1024;
const TOO_LARGE = '(left out: the details of this report are larger than 256 KiB)';

const LONGEST_NAME = 100;
const MAX_MEMBERS = 50;

const detail = z.record(z.string(), z.string().min(1).max(4096)).superRefine((members, context) => {
  const names = Object.keys(members);
  const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  if (names.length > MAX_MEMBERS) {
    refuse([], `expected at most ${MAX_MEMBERS} members, found ${names.length}`);
  }
  for (const name of names) {
    if (name.length < 1 || name.length > LONGEST_NAME) {
      refuse([name], `expected a name of 1 to ${LONGEST_NAME} characters`);
    }
    if (RUN_IDENTITY.some((reserved) => reserved === name)) {
      refuse([name], `\`${name}\` is told of every run; choose a name other than ${listNames(RUN_IDENTITY)}`);
    }
  }
});

const params = z.strictObject({
  event_type: z
    .string()
    .min(1)
    .max(200)
    .regex(/^[a-z0-9_]+$/, 'a name of lower-case letters, digits and _'),
  summary: z.string().min(1).max(16_384),
  detail: detail.optional(),
});

export const stateHubProgress: ReportShape<z.output<typeof params>> = {
  sink: SINK,
  params,
  texts: ({ detail = {} }) => [
    { path: ['summary'], kind: 'template' },
    ...Object.keys(detail).map((name) => ({ path: ['detail', name], kind: 'expression' as const })),
  ],
};

/** Computed, a summary may be longer and a detail anything. */
const computed = z.object({
  event_type: z.string(),
  summary: z.string(),
  detail: z.record(z.string(), z.custom<Json>()).default({}),
});

/** Filed: `{progress_id}`. */
export function createStateHubProgress({ stateHub }: { stateHub?: StateHubClient | undefined }): ReportSink {
  return {
    sink: SINK,
    async file({ run, position, report }) {
      if (!stateHub) {
        const message = `${SINK} needs State Hub; set STATE_HUB_URL, then retry the run`;
        throw new ReportError(message, { retryable: false });
      }
      const { event_type, summary, detail } = computed.parse(report);
      try {
        const { id } = await stateHub.postProgress({
          event_type,
          summary: summaryOf(summary) || summaryOf(run.title),
          detail: detailOf(run, detail),
          author: 'activity-core',
          idempotency_key: `activity-core:report:${run.run_id}:${position}`,
        });
        return { progress_id: id };
      } catch (error) {
        if (!(error instanceof StateHubError)) throw error;
        // Whatever State Hub says: a rollout's 404 or a token that is being changed passes.
        throw new ReportError(error.message, { cause: error, retryable: true });
      }
    },
  };
}

function summaryOf(text: string): string {
  const line = storableText(text)
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  if (line.length <= LONGEST_SUMMARY) return line;
  return cut(line, LONGEST_SUMMARY - TRUNCATED.length) + TRUNCATED;
}

function detailOf(run: FileReport['run'], members: JsonObject): JsonObject {
  const whole = { ...members, ...identityOf(run) };
  if (Buffer.byteLength(JSON.stringify(whole)) <= MAX_DETAIL_BYTES) return whole;
  const marks = Object.keys(members).map((name) => [name, TOO_LARGE]);
  return { ...Object.fromEntries(marks), ...identityOf(run) };
}
