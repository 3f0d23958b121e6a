/** Blocks of `sh` in a document, run by a real shell as a reader would, with `npx activity-core` being this checkout's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Block {
  language: string;
  text: string;
}

/** The fenced blocks below a heading of any level, up to the next heading. */
export function blocksBelow(document: string, heading: string): Block[] {
  const [, below] = document.split(new RegExp(`^#{2,3} ${heading}\\n`, 'm'));
  if (below === undefined) throw new Error(`there is no heading "${heading}"`);
  // A heading inside of a block is none.
  const [section = ''] = below.split(/^#{1,3} (?=[A-Z])/m);
  return [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
    language,
    text,
  }));
}

export interface Reader {
  /** What was printed. @throws Error where a block ends with another exit code than its last line says (`# exits 1`; else 0) */
  run(text: string): Promise<string>;
}

/** `folder`: where commands are run, and where `npx` is put. `url`: the service's, for the address that documents name. */
export async function createReader(
  folder: string,
  url: string,
  environment: Record<string, string>,
): Promise<Reader> {
  const programs = join(folder, '.programs');
  await mkdir(programs);
  const npx = `#!/bin/sh\n[ "$1" = activity-core ] || exit 64\nshift\nexec '${MAIN}' "$@"\n`;
  await writeFile(join(programs, 'npx'), npx, { mode: 0o755 });
  // Not every machine has it; documents only show `curl -s URL`.
  const curl = `#!${process.execPath}\nfetch(process.argv.at(-1)).then(async (a) => process.stdout.write(await a.text() + '\\n'));\n`;
  await writeFile(join(programs, 'curl'), curl, { mode: 0o755 });
  const PATH = [programs, dirname(process.execPath), process.env.PATH].join(delimiter);

  return {
    async run(text) {
      const script = text.replaceAll('http://127.0.0.1:8080', url);
      const shell = spawn('bash', ['-euo', 'pipefail', '-c', script], {
        cwd: folder,
        env: { PATH, HOME: process.env.HOME, ACTIVITY_CORE_API: url, ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let printed = '';
      for (const stream of [shell.stdout, shell.stderr]) {
        stream.on('data', (chunk) => {
          printed += chunk;
        });
      }
      const [exitCode] = await once(shell, 'close');
      const expected = / {3}# exits 1[^\n]*\n$/.test(text) ? 1 : 0;
      if (exitCode !== expected) throw new Error(`${script}\nended with ${exitCode}:\n${printed}`);
      return printed;
    },
  };
}
