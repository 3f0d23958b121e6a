/** Every report sink. A new one is a file and a line in each of the two lists here. */
import type { StateHubClient } from '../clients/state-hub.ts';
import type { Definition } from '../core/definition.ts';
import type { JsonObject } from '../core/json.ts';
import { checkShape, type ShapeProblem } from '../core/shape.ts';
import { listNames, suggestion } from '../core/wording.ts';
import type { ReportShape, ReportSink, ReportText } from './report-sink.ts';
import { createStateHubProgress, stateHubProgress } from './state-hub-progress.ts';
import { createWorkingMemory, workingMemory } from './working-memory.ts';

export const REPORT_SHAPES: readonly ReportShape[] = [stateHubProgress, workingMemory];

/** One that lacks something says so when a report is filed. */
export interface ReportSinkDeps {
  stateHub?: StateHubClient | undefined;
  workingMemoryDir?: string | undefined;
}

export function createReportSinks(deps: ReportSinkDeps): ReadonlyMap<string, ReportSink> {
  const sinks = [createStateHubProgress(deps), createWorkingMemory(deps)];
  return new Map(sinks.map((sink) => [sink.sink, sink]));
}

/** `texts`: what is computed, one list a report. `problems` have paths from the definition. */
export type ReportTexts =
  | { ok: true; texts: ReportText[][] }
  | { ok: false; message: string; problems: ShapeProblem[] };

export function reportTextsOf(definition: Definition): ReportTexts {
  const texts: ReportText[][] = [];
  const problems: ShapeProblem[] = [];
  for (const [index, { sink, ...report }] of definition.reports.entries()) {
    const path = ['reports', index];
    const shape = REPORT_SHAPES.find((known) => known.sink === sink);
    if (!shape) {
      problems.push({ path: [...path, 'sink'], at: 'value', message: unknownSink(sink) });
      continue;
    }
    const params = checkShape(shape.params, report as JsonObject);
    if (params.ok) texts.push(shape.texts(params.value));
    else for (const fault of params.problems) problems.push({ ...fault, path: [...path, ...fault.path] });
  }
  if (problems.length === 0) return { ok: true, texts };
  return { ok: false, message: problems.map(({ message }) => message).join('; '), problems };
}

function unknownSink(sink: string): string {
  const known = REPORT_SHAPES.map((shape) => shape.sink).sort();
  return `unknown report sink \`${sink}\`${suggestion(sink, known)}; known sinks: ${listNames(known)}`;
}
