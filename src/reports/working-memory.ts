/** Writes a run's note into the working memory: a Markdown file with front matter, in one folder (contract 8). */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isTemplate } from '../core/template.ts';
import { describeFound } from '../core/wording.ts';
import { noteName, noteText } from './note.ts';
import { MAX_SAME_NAME, putNote } from './note-file.ts';
import { outputsInMarkdown } from './note-markdown.ts';
import { ReportError, type ReportShape, type ReportSink, type ReportText } from './report-sink.ts';

export { hasNotesFolder, readNote } from './note-file.ts';

const SINK = 'working-memory';
const NAME_RULE = 'a name with a letter, a digit or _ in it';

const params = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(1024)
    .refine((name) => isTemplate(name) || noteName(name) !== null, {
      error: ({ input }) => `expected ${NAME_RULE}, found ${describeFound(input)}`,
    }),
  body: z.string().min(1).max(16_384).optional(),
});

const NAME: ReportText = { path: ['name'], kind: 'template' };
const BODY: ReportText = { path: ['body'], kind: 'template' };

export const workingMemory: ReportShape<z.output<typeof params>> = {
  sink: SINK,
  params,
  texts: ({ body }) => (body === undefined ? [NAME] : [NAME, BODY]),
};

const computed = z.object({ name: z.string(), body: z.string().optional() });

/** Filed: `{file, sha256}`, the hash of what the run wrote, whatever a person has made of it since. */
export function createWorkingMemory({
  workingMemoryDir,
}: {
  workingMemoryDir?: string | undefined;
}): ReportSink {
  return {
    sink: SINK,
    async file({ run, position, report }) {
      if (!workingMemoryDir) {
        throw refused(`${SINK} needs a folder; set WORKING_MEMORY_DIR, then retry the run`);
      }
      const { name: wanted, body } = computed.parse(report);
      const name = noteName(wanted);
      if (name === null) {
        throw refused(
          `${SINK}: expected ${NAME_RULE}, found ${describeFound(wanted)}; mend the report’s name`,
        );
      }
      const content = Buffer.from(noteText(run, position, body ?? outputsInMarkdown(run)));
      const owner = { run_id: run.run_id, report: position };
      const file = await putNote(workingMemoryDir, { name, owner, content });
      if (file === null) {
        throw refused(
          `${SINK}: WORKING_MEMORY_DIR has ${MAX_SAME_NAME} notes named \`${name}\` already; use another name, or move old notes away`,
        );
      }
      return { file, sha256: createHash('sha256').update(content).digest('hex') };
    },
  };
}

function refused(message: string): ReportError {
  return new ReportError(message, { retryable: false });
}
