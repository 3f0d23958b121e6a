/** A note's name and text. Pure: the same run and report give the same note. */
import { stringify } from 'yaml';
import { parseDocument } from '../core/document.ts';
import { TRUNCATED } from '../core/expression-values.ts';
import { firstBytes } from '../core/shrink.ts';
import { storableText } from '../core/storable.ts';
import type { ReportedRun } from './report-sink.ts';
import { identityOf } from './run-identity.ts';

/** Which report of which run a note is; null where its front matter does not say. */
export interface NoteOwner {
  run_id: string | null;
  /** The report's position in the definition: two of one run may have the same name. */
  report: number | null;
}

/** In bytes: file systems take 255, and a number may come after it. */
const LONGEST_NAME = 200;
const LONGEST_COMPUTED = 64 * 1024;
const MAX_BODY_BYTES = 256 * 1024;
const FRONT_MATTER = /^\ufeff?---[ \t]*\r?\n([\s\S]*?)\r?\n---[ \t]*(?:\r?\n|$)/;

/**
 * What is computed is data, never a path: letters and digits of any script and `._-` stay, everything else is a dash; `.md` at
 * its end goes, since it is added. Null where nothing stays.
 */
export function noteName(computed: string): string | null {
  const name = computed
    .slice(0, LONGEST_COMPUTED)
    .normalize('NFC')
    .replaceAll(/[^\p{L}\p{N}\p{M}._-]+/gu, '-')
    .replaceAll(/-{2,}/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .replace(/(\.md)+$/i, '')
    .replace(/^[.-]+/, '');
  return firstBytes(name, LONGEST_NAME).replace(/[.-]+$/, '') || null;
}

/** Front matter, then the body: Markdown, at most 256 KiB of it. */
export function noteText(run: ReportedRun, report: number, body: string): string {
  const facts = { created_by: 'activity-core', ...identityOf(run), report };
  // Quoted also where only YAML 1.1 would take a text for a time or a number: many readers of notes are that old.
  const yaml = stringify(facts, { lineWidth: 0, compat: 'yaml-1.1' });
  return `---\n${yaml}---\n\n${cutBody(storableText(body).trim(), MAX_BODY_BYTES)}\n`;
}

/** `start`: the file's first bytes, whoever wrote it. */
export function noteOwner(start: Uint8Array): NoteOwner {
  const [, yaml] = FRONT_MATTER.exec(new TextDecoder().decode(start)) ?? [];
  const parsed = yaml === undefined ? null : parseDocument(Buffer.from(yaml));
  const { run_id, report } = parsed?.ok ? parsed.document.value : {};
  return {
    run_id: typeof run_id === 'string' ? run_id : null,
    report: typeof report === 'number' ? report : null,
  };
}

/** The mark stands on a line of its own. */
function cutBody(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  const mark = `\n${TRUNCATED}`;
  return firstBytes(text, maxBytes - Buffer.byteLength(mark)) + mark;
}
