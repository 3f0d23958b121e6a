/** What State Hub says of a tick's run: the progress that it filed is there, and names the run. */
import { z } from 'zod';
import type { HubProgress, Listing, StateHubClient } from '../clients/state-hub.ts';
import type { Definition } from '../core/definition.ts';
import { contentSha256 } from '../core/document.ts';
import type { Json } from '../core/json.ts';
import type { TickRun, TickRunRow } from '../store/tick-evidence.ts';
import {
  type DeclaredReport,
  declaredReports,
  NOT_DECLARED,
  REVISION_UNKNOWN,
  whyNotFiled,
} from './declared-reports.ts';
import { type EvidenceItem, NotSeenYet } from './evidence.ts';

const SINK = 'state-hub-progress';
/** State Hub's clock may be behind Temporal's. */
const CLOCK_SKEW_MS = 3_600_000;

const NOTHING_FILED: EvidenceItem = {
  ok: false,
  detail: 'the run ended before it filed any report',
  facts: { declared: true, entries: [] },
};

const factsSchema = z.object({
  entries: z.array(z.object({ event_type: z.string(), progress_id: z.string(), content_hash: z.string() })),
});
export type ProgressEntry = z.output<typeof factsSchema>['entries'][number];

/** What was found when the evidence was collected. */
export function entriesOf({ facts }: EvidenceItem): ProgressEntry[] {
  const parsed = factsSchema.safeParse(facts);
  return parsed.success ? parsed.data.entries : [];
}

/** RFC 3339. What a tick's run files has no earlier time. */
export const progressSince = (scheduledFor: string): string =>
  new Date(Date.parse(scheduledFor) - CLOCK_SKEW_MS).toISOString();

/** Whoever changes an entry changes this; what State Hub adds to it by itself does not. */
export const progressHash = ({ event_type, summary, detail }: HubProgress): string =>
  contentSha256({ event_type, summary, detail });

/** @throws StateHubError; NotSeenYet where State Hub does not list what it has taken */
export async function progressEvidence(
  { scheduled_for, run }: TickRun,
  revision: Definition | null,
  stateHub: StateHubClient | null,
): Promise<EvidenceItem> {
  if (!revision) return REVISION_UNKNOWN;
  const reports = declaredReports(revision, run.reports, SINK);
  if (reports.length === 0) return NOT_DECLARED;
  // State Hub need not be asked, which may be what is down.
  if (reports.every(({ record }) => record === null)) return NOTHING_FILED;
  if (!stateHub)
    return { ok: false, detail: 'STATE_HUB_URL is not set', facts: { declared: true, entries: [] } };
  const listings = new Map<string, Listing<HubProgress>>();
  const entries: ProgressEntry[] = [];
  const faults: string[] = [];
  let isUnseen = false;
  for (const report of reports) {
    const event_type = String(report.declared.event_type);
    const listing =
      listings.get(event_type) ??
      (await stateHub.listProgress({ event_type, since: progressSince(scheduled_for) }));
    listings.set(event_type, listing);
    const found = entryOf(listing, report, run.run_id);
    if (found) entries.push({ event_type, progress_id: found.id, content_hash: progressHash(found) });
    const fault = found
      ? (whyNotFiled(report) ?? disagreement(found, report, run))
      : whyNotThere(event_type, listing, report, run);
    if (fault !== null) faults.push(fault);
    isUnseen ||= !found && whyNotFiled(report) === null;
  }
  const detail = faults.join('; ') || entries.map(({ progress_id }) => `progress ${progress_id}`).join(', ');
  const facts = { declared: true, entries };
  if (isUnseen) throw new NotSeenYet(detail, facts);
  return { ok: faults.length === 0, detail, facts };
}

/** Its own where State Hub said under which id it was filed; else whichever names the run. */
function entryOf(
  { items }: Listing<HubProgress>,
  { record }: DeclaredReport,
  runId: string,
): HubProgress | null {
  const ofRun = items.filter(({ detail }) => detail.run_id === runId);
  const filed = ofRun.find(({ id }) => id === record?.filed?.progress_id);
  return filed ?? ofRun[0] ?? null;
}

function whyNotThere(
  eventType: string,
  { truncated }: Listing<HubProgress>,
  report: DeclaredReport,
  run: TickRunRow,
): string {
  const more = truncated ? ' among those that can be read; it has more' : '';
  const missing = `State Hub has no \`${eventType}\` progress of run ${run.run_id}${more}`;
  const reason = whyNotFiled(report);
  return reason === null ? missing : `${missing}: ${reason}`;
}

function disagreement(found: HubProgress, { record }: DeclaredReport, run: TickRunRow): string | null {
  const filedAs = record?.filed?.progress_id;
  if (filedAs !== found.id) return `it was filed as ${filedAs}, and State Hub has ${found.id} in its place`;
  const { definition_id, definition_hash, scheduled_for, workflow_id } = run;
  const expected = { definition_id, definition_hash, scheduled_for, workflow_id };
  const wrong = Object.entries(expected).filter(([name, value]) => !isSame(found.detail[name], value));
  if (wrong.length === 0) return null;
  const names = wrong.map(([name, value]) => `${name} is not ${value}`).join(', ');
  return `progress ${found.id} disagrees with the run: ${names}`;
}

/** Times may be written in more than one way. */
function isSame(found: Json | undefined, expected: string | null): boolean {
  if (found === expected) return true;
  if (typeof found !== 'string' || expected === null) return false;
  const [a, b] = [Date.parse(found), Date.parse(expected)];
  return !Number.isNaN(a) && /^\d{4}-\d\d-\d\dT/.test(expected) && a === b;
}
