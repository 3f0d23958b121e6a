/** What `dev` puts in the place of settings that are unset, beside its servers: a sample engagement and stand-ins. */
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { SAMPLE_ENGAGEMENT, SAMPLE_ROSTER_PATH, writeSampleEngagement } from '../dev/sample-engagement.ts';
import { startStateHubStandIn } from '../dev/stand-ins/state-hub.ts';

type Name = 'KAIZEN_REPOS_ROOT' | 'KAIZEN_ENGAGEMENT_ROSTER' | 'STATE_HUB_URL';
type Settings = { -readonly [N in Name]: Config[N] };

export interface Surroundings {
  /** All three, those that were set as they were. */
  settings: Settings;
  /** What stands in for what, for the summary: `[name, place and remark]`. */
  told: [name: string, place: string][];
  /** Idempotent. */
  close(): Promise<void>;
}

/** `stateDir` is there. Where KAIZEN_REPOS_ROOT is set, nothing is written. */
export async function openSurroundings(config: Config, stateDir: string): Promise<Surroundings> {
  const told: Surroundings['told'] = [];
  const settings: Settings = {
    KAIZEN_REPOS_ROOT: config.KAIZEN_REPOS_ROOT,
    KAIZEN_ENGAGEMENT_ROSTER: config.KAIZEN_ENGAGEMENT_ROSTER,
    STATE_HUB_URL: config.STATE_HUB_URL,
  };
  if (!settings.KAIZEN_REPOS_ROOT) {
    const sample = await writeSampleEngagement(join(stateDir, 'sample-engagement'));
    settings.KAIZEN_REPOS_ROOT = sample.kaizen_repos_root;
    settings.KAIZEN_ENGAGEMENT_ROSTER ??= sample.kaizen_engagement_roster;
    told.push(['engagement', `${sample.kaizen_repos_root}   (a sample; KAIZEN_REPOS_ROOT names yours)`]);
  }
  if (settings.STATE_HUB_URL) return { settings, told, close: async () => undefined };
  // It knows of the sample's roster only where that is used: State Hub's word comes before KAIZEN_ENGAGEMENT_ROSTER.
  const usesSample = !config.KAIZEN_REPOS_ROOT && !config.KAIZEN_ENGAGEMENT_ROSTER;
  const standIn = await startStateHubStandIn({
    engagements: usesSample ? { [SAMPLE_ENGAGEMENT]: { roster_path: SAMPLE_ROSTER_PATH } } : {},
  });
  settings.STATE_HUB_URL = standIn.url;
  told.push(['State Hub', `${standIn.url}   (a stand-in; STATE_HUB_URL names a real one)`]);
  return { settings, told, close: standIn.close };
}
