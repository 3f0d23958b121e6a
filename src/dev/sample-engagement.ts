/** A kaizen engagement to try things with: a roster and three pilots with two agents each. Written once, then left alone. */
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface SampleEngagement {
  /** Absolute where the folder is. */
  kaizen_repos_root: string;
  kaizen_engagement_roster: string;
}

export const SAMPLE_ENGAGEMENT = 'coulomb-loop';
/** Relative to KAIZEN_REPOS_ROOT, as State Hub names it. */
export const SAMPLE_ROSTER_PATH = `${SAMPLE_ENGAGEMENT}/loops/kaizen-stack/roster.yaml`;

const PILOTS = ['pilot-a', 'pilot-b', 'pilot-c'];

/** `<folder>/repos`, whole or not at all; where it is there, whatever a person made of it stays as it is. */
export async function writeSampleEngagement(folder: string): Promise<SampleEngagement> {
  const root = join(folder, 'repos');
  if (!(await isThere(root))) {
    const draft = `${root}.new`;
    await rm(draft, { recursive: true, force: true });
    for (const [path, text] of Object.entries(sampleFiles())) {
      await mkdir(dirname(join(draft, path)), { recursive: true });
      await writeFile(join(draft, path), text);
    }
    await rename(draft, root);
  }
  return { kaizen_repos_root: root, kaizen_engagement_roster: join(root, SAMPLE_ROSTER_PATH) };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function sampleFiles(): Record<string, string> {
  const schedules = PILOTS.map((pilot) => [join(pilot, '.kaizen/schedule.yml'), SCHEDULE]);
  return { [SAMPLE_ROSTER_PATH]: ROSTER, ...Object.fromEntries(schedules) };
}

const ROSTER = `# A sample: who takes part. Paths are relative to this file's folder.
engagement: ${SAMPLE_ENGAGEMENT}
repos:
${PILOTS.map((pilot) => `  - { slug: ${pilot}, path: ../../../${pilot} }\n`).join('')}`;

const SCHEDULE = `# A sample of the hourly bootstrap: the cadence stays daily, the cron says every hour.
version: 1
engagement: ${SAMPLE_ENGAGEMENT}
schedules:
  - { agent: coach, cadence: daily, cron: "15 * * * *" }
  - { agent: optimization, cadence: daily, cron: "30 * * * *" }
`;
