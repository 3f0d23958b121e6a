/** What the handoff document says, held to the code and to the definitions that ship. */
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { createAttributesValidator } from '../../src/core/attributes.ts';
import { checkEvent, decodeEnvelope } from '../../src/core/envelope.ts';
import { loadDefinitions } from '../../src/definitions/load.ts';
import { SAMPLE_ROSTER_PATH, writeSampleEngagement } from '../../src/dev/sample-engagement.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { captureCli } from '../setup/captured-cli.ts';

const text = readFileSync('docs/integrations/kaizen-engagement.md', 'utf8');

const blocks = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block]) => block ?? '');
const [roster = '', schedule = ''] = blocks('yaml');

/** Cells of the rows that begin with a word in code. */
const rowsOf = (document: string) =>
  [...document.matchAll(/^\| `[a-z_-]+`.*\|$/gm)].map(([row]) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
const plain = (cell: string | undefined) => (cell ?? '').replaceAll('`', '');

test('its roster and schedule are those of the sample engagement, and in step with what ships', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'kaizen-engagement-docs-'));
  try {
    const sample = await writeSampleEngagement(join(folder, 'sample'));
    const sampleFile = (path: string) => readFile(join(sample.kaizen_repos_root, path), 'utf8').then(parse);
    expect(parse(roster)).toEqual(await sampleFile(SAMPLE_ROSTER_PATH));
    expect(parse(schedule)).toEqual(await sampleFile('pilot-a/.kaizen/schedule.yml'));

    const documented = [roster, schedule, schedule, schedule];
    const places = ['pilot-a', 'pilot-b', 'pilot-c'].map((pilot) => `${pilot}/.kaizen/schedule.yml`);
    for (const [index, path] of [SAMPLE_ROSTER_PATH, ...places].entries()) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), documented[index] ?? '');
    }
    const environment = {
      KAIZEN_REPOS_ROOT: folder,
      KAIZEN_ENGAGEMENT_ROSTER: join(folder, SAMPLE_ROSTER_PATH),
    };
    const { exitCode, out } = await captureCli(['engagement', 'check'], { environment });
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: expect.stringContaining('6 schedules in step') });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('its table of crons is that of the shipped definitions, all of which are enabled', async () => {
  const { definitions } = await loadDefinitions('definitions', createResolvers());
  const shipped = definitions.flatMap(({ definition: { id, enabled, trigger, context_sources } }) => {
    const source = context_sources.find(({ type }) => type === 'discover_kaizen_scheduled_repos');
    return source ? [{ id, enabled, ...trigger.schedule, agents: source.params.agents ?? null }] : [];
  });
  const documented = rowsOf(text)
    .filter(([cell]) => cell?.startsWith('`hourly-'))
    .map(([id, cron, agent]) => ({
      id: plain(id),
      enabled: true,
      cron: plain(cron),
      timezone: 'UTC',
      agents: agent?.startsWith('`') ? [plain(agent)] : null,
    }));
  expect(documented).toHaveLength(3);
  expect(documented.toSorted((a, b) => a.id.localeCompare(b.id))).toMatchObject(
    shipped.map(({ id, enabled, cron, timezone, agents }) => ({ id, enabled, cron, timezone, agents })),
  );
});

test('its event is accepted', () => {
  const decoded = decodeEnvelope(new TextEncoder().encode(blocks('json')[0]), '2026-11-20T08:15:00Z');
  if (!decoded.ok) throw new Error(JSON.stringify(decoded));
  const type = parse(readFileSync('definitions/event-types/kaizen.metrics.recorded.yaml', 'utf8'));
  const refusal = checkEvent(decoded.envelope, {
    subject: 'activity.kaizen.metrics.recorded',
    attributesCheck: () => createAttributesValidator(type),
    eventTypes: [type],
    now: Date.parse('2026-11-21T00:00:00Z'),
    dedupeDays: 400,
  });
  expect(refusal).toBeNull();
});
