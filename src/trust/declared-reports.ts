/** The reports that a run was to file in one sink, each with what became of it. */
import type { Definition } from '../core/definition.ts';
import type { ReportRecord } from '../core/report.ts';
import type { EvidenceItem } from './evidence.ts';

export interface DeclaredReport {
  /** As in the definition. */
  declared: Definition['reports'][number];
  /** Null where the run ended before its reports were rendered. */
  record: ReportRecord | null;
}

export function declaredReports(
  revision: Definition,
  records: readonly ReportRecord[],
  sink: string,
): DeclaredReport[] {
  return revision.reports.flatMap((declared, position) =>
    declared.sink === sink ? [{ declared, record: records[position] ?? null }] : [],
  );
}

export const NOT_DECLARED: EvidenceItem = {
  ok: true,
  detail: 'not declared by this revision',
  facts: { declared: false },
};

/** Where a run's revision is not on record, nobody knows. */
export const REVISION_UNKNOWN: EvidenceItem = {
  ok: false,
  detail: 'the revision of the run is not on record',
  facts: {},
};

/** Why there can be nothing to find; null where it was filed. */
export function whyNotFiled({ record }: DeclaredReport): string | null {
  if (!record) return 'the run ended before it filed any report';
  if (record.status === 'filed') return null;
  return record.error === null ? 'it was not filed' : `it was not filed: ${record.error}`;
}
