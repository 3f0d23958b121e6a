/** What `dev` puts in the place of settings that are unset, beside its servers: a sample engagement and stand-ins. */
import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { SAMPLE_ENGAGEMENT, SAMPLE_ROSTER_PATH, writeSampleEngagement } from '../dev/sample-engagement.ts';
import { startIssueCoreStandIn } from '../dev/stand-ins/issue-core.ts';
import { startLlmConnectStandIn } from '../dev/stand-ins/llm-connect.ts';
import { startStateHubStandIn } from '../dev/stand-ins/state-hub.ts';
import { UsageError } from './usage-error.ts';

type Name =
  | 'KAIZEN_REPOS_ROOT'
  | 'KAIZEN_ENGAGEMENT_ROSTER'
  | 'STATE_HUB_URL'
  | 'ISSUE_CORE_URL'
  | 'ISSUE_CORE_TOKEN'
  | 'LLM_CONNECT_URL'
  | 'WORKING_MEMORY_DIR';
type Settings = { -readonly [N in Name]: Config[N] };

export interface Surroundings {
  /** All of them, those that were set as they were. */
  settings: Settings;
  /** What stands in for what, for the summary: `[name, place and remark]`; without a name it goes on from the line before. */
  told: [name: string, place: string][];
  /** Idempotent. */
  close(): Promise<void>;
}

interface Place {
  settings: Settings;
  told: Surroundings['told'];
  /** What is to be closed, in the order in which it was opened. */
  opened: (() => Promise<void>)[];
}

/** `stateDir` is there. Where KAIZEN_REPOS_ROOT is set, no sample is written. */
export async function openSurroundings(config: Config, stateDir: string): Promise<Surroundings> {
  const settings: Settings = {
    KAIZEN_REPOS_ROOT: config.KAIZEN_REPOS_ROOT,
    KAIZEN_ENGAGEMENT_ROSTER: config.KAIZEN_ENGAGEMENT_ROSTER,
    STATE_HUB_URL: config.STATE_HUB_URL,
    ISSUE_CORE_URL: config.ISSUE_CORE_URL,
    ISSUE_CORE_TOKEN: config.ISSUE_CORE_TOKEN,
    LLM_CONNECT_URL: config.LLM_CONNECT_URL,
    WORKING_MEMORY_DIR: config.WORKING_MEMORY_DIR,
  };
  const place: Place = { settings, told: [], opened: [] };
  const close = async () => {
    for (const release of place.opened.splice(0).reverse()) await release();
  };
  try {
    if (!settings.KAIZEN_REPOS_ROOT) await writeSample(place, stateDir);
    if (!settings.STATE_HUB_URL) {
      // It knows of the sample's roster only where that is used: State Hub's word comes before KAIZEN_ENGAGEMENT_ROSTER.
      await openStateHub(place, stateDir, !config.KAIZEN_REPOS_ROOT && !config.KAIZEN_ENGAGEMENT_ROSTER);
    }
    if (!settings.ISSUE_CORE_URL) await openIssueCore(place, stateDir);
    if (!settings.LLM_CONNECT_URL) await openLlmConnect(place);
    if (!settings.WORKING_MEMORY_DIR) nameWorkingMemory(place, stateDir);
  } catch (error) {
    await close();
    throw error;
  }
  return { settings, told: place.told, close };
}

async function writeSample({ settings, told }: Place, stateDir: string): Promise<void> {
  const sample = await writeSampleEngagement(join(stateDir, 'sample-engagement'));
  settings.KAIZEN_REPOS_ROOT = sample.kaizen_repos_root;
  settings.KAIZEN_ENGAGEMENT_ROSTER ??= sample.kaizen_engagement_roster;
  told.push(['engagement', `${sample.kaizen_repos_root}   (a sample; KAIZEN_REPOS_ROOT names yours)`]);
}

async function openStateHub(
  { settings, told, opened }: Place,
  stateDir: string,
  usesSample: boolean,
): Promise<void> {
  const standIn = await startStateHubStandIn({
    engagements: usesSample ? { [SAMPLE_ENGAGEMENT]: { roster_path: SAMPLE_ROSTER_PATH } } : {},
    stateFile: join(stateDir, 'state-hub-stand-in.jsonl'),
  }).catch((error: Error) => {
    throw new UsageError(`the stand-in for State Hub: ${error.message}`, { cause: error });
  });
  opened.push(standIn.close);
  settings.STATE_HUB_URL = standIn.url;
  told.push(
    ['State Hub', `${standIn.url}   (a stand-in; STATE_HUB_URL names a real one)`],
    ['', `the progress filed: ${standIn.url}/progress   faults to switch: ${standIn.url}/stand-in/faults`],
    ...standIn.warnings.map((warning): [string, string] => ['', warning]),
  );
}

async function openIssueCore({ settings, told, opened }: Place, stateDir: string): Promise<void> {
  settings.ISSUE_CORE_TOKEN ??= await keptToken(join(stateDir, 'issue-core-stand-in.token'));
  const stateFile = join(stateDir, 'issue-core-stand-in.jsonl');
  const { ISSUE_CORE_TOKEN: token } = settings;
  const standIn = await startIssueCoreStandIn({ token, stateFile }).catch((error: Error) => {
    throw new UsageError(`the stand-in for issue-core: ${error.message}`, { cause: error });
  });
  opened.push(standIn.close);
  settings.ISSUE_CORE_URL = standIn.url;
  told.push(
    ['issue-core', `${standIn.url}   (a stand-in; ISSUE_CORE_URL names a real one)`],
    ['', `the tasks made: ${standIn.url}/stand-in/tasks   faults to switch: ${standIn.url}/stand-in/faults`],
    ...standIn.warnings.map((warning): [string, string] => ['', warning]),
  );
}

async function openLlmConnect({ settings, told, opened }: Place): Promise<void> {
  const standIn = await startLlmConnectStandIn();
  opened.push(standIn.close);
  settings.LLM_CONNECT_URL = standIn.url;
  told.push(
    ['llm-connect', `${standIn.url}   (a stand-in without a model; LLM_CONNECT_URL names a real one)`],
    [
      '',
      `the prompts sent: ${standIn.url}/stand-in/requests   faults to switch: ${standIn.url}/stand-in/faults`,
    ],
  );
}

/** The folder comes to be with the first note. */
function nameWorkingMemory({ settings, told }: Place, stateDir: string): void {
  settings.WORKING_MEMORY_DIR = join(stateDir, 'working-memory');
  told.push(['notes', `${settings.WORKING_MEMORY_DIR}   (WORKING_MEMORY_DIR names another folder)`]);
}

/** Made once. What waits in the outbox of this folder is still let in after a restart. */
async function keptToken(file: string): Promise<string> {
  const kept = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  if (kept.trim() !== '') return kept.trim();
  const token = randomBytes(24).toString('base64url');
  await writeFile(`${file}.new`, `${token}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return token;
}
