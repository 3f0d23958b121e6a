/** `dev.json`: where a running `npm run dev` left its addresses. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from './usage-error.ts';

const devFileSchema = z.looseObject({ api_url: z.string(), nats_url: z.string(), pid: z.number() });
export type DevFile = z.output<typeof devFileSchema>;

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
