/** A throw-away folder of definition files. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export const METRICS_TYPE = `type: kaizen.metrics.recorded
title: An agent's metrics were recorded
owner: kaizen
attributes_schema:
  type: object
  required: [agent, project, summary]
  properties:
    agent: { type: string }
    project: { type: string }
    summary:
      type: object
      required: [success_rate]
      properties:
        success_rate: { type: number }
        runs: { type: integer }
`;

export const REVIEW = `id: review
title: Review an agent
owner: kaizen
trigger:
  event:
    type: kaizen.metrics.recorded
    filter: event.attributes.project != "sandbox"
context_sources:
  - type: event-payload
    bind_to: context.metrics
rules:
  - id: low
    condition: context.metrics.summary.success_rate < 0.8
    task:
      title: "Review {{ context.metrics.agent }}"
      priority: medium
`;

export const HOURLY = `id: hourly
title: Every hour
owner: kaizen
trigger:
  schedule:
    cron: "15 * * * *"
    timezone: Europe/Berlin
`;

export interface DefinitionFolder extends AsyncDisposable {
  path: string;
  in(name: string): string;
}

export async function definitionFolder(
  files: Record<string, string | Uint8Array>,
  eventTypes: Record<string, string> = { 'kaizen.metrics.recorded.yaml': METRICS_TYPE },
): Promise<DefinitionFolder> {
  const path = await mkdtemp(join(tmpdir(), 'definitions-'));
  const all = Object.entries(eventTypes).map(([name, text]) => [join('event-types', name), text] as const);
  for (const [name, text] of [...Object.entries(files), ...all]) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return {
    path,
    in: (name) => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}
