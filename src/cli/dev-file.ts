/** `dev.json`: where a running `npm run dev` left its addresses. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from './usage-error.ts';

const devFileSchema = z.looseObject({
  api_url: z.string(),
  nats_url: z.string(),
  pid: z.number(),
  issue_core_url: z.string().optional(),
  state_hub_url: z.string().optional(),
  llm_connect_url: z.string().optional(),
  working_memory_dir: z.string().optional(),
  kaizen_repos_root: z.string().optional(),
  kaizen_engagement_roster: z.string().optional(),
});
export type DevFile = z.output<typeof devFileSchema>;

/** What is undefined is not written. */
export interface DevFileContent {
  temporal_address: string;
  temporal_ui_url: string | null;
  nats_url: string;
  database_url: string;
  api_url: string;
  issue_core_url: string | undefined;
  state_hub_url: string | undefined;
  llm_connect_url: string | undefined;
  working_memory_dir: string | undefined;
  kaizen_repos_root: string | undefined;
  kaizen_engagement_roster: string | undefined;
  pid: number;
}

export const DEFAULT_STATE_DIR = '.activity-core';

/** Null where none is there. @throws UsageError where it cannot be read. */
export async function readDevFile(stateDir: string): Promise<DevFile | null> {
  const file = join(stateDir, 'dev.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new UsageError(`${file} cannot be read (${code}); name the addresses yourself`, { cause: error });
  }
  try {
    return devFileSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new UsageError(
      `${file} is damaged; remove it, or start \`npm run dev\` again, which writes it anew`,
      {
        cause: error,
      },
    );
  }
}

export async function writeDevFile(file: string, content: DevFileContent): Promise<void> {
  // It holds the database's password, and a reader must never find half of it.
  await writeFile(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
