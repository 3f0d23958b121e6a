/** Reads a Dockerfile of plain instructions, and does in folders what a builder does in layers. */
import { execFile } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

export interface Instruction {
  name: string;
  rest: string;
}

export interface Stage {
  base: string;
  /** As later stages name it; of the last one `image`. */
  name: string;
  instructions: Instruction[];
}

/** One line an instruction, as ours has it. @throws Error at a line that goes on, or before the first FROM */
export function stagesOf(text: string): Stage[] {
  const stages: Stage[] = [];
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name = '', rest = ''] = /^([A-Z]+) (.*[^\\])$/.exec(line) ?? [];
    if (name === 'FROM') {
      const [base = '', as, stage = 'image'] = rest.split(' ');
      if (as !== undefined && as !== 'AS') throw new Error(`not understood: ${line}`);
      stages.push({ base, name: stage, instructions: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (!name || !stage) throw new Error(`not understood: ${line}`);
    stage.instructions.push({ name, rest });
  }
  return stages;
}

/** Does COPY and RUN of each stage in a folder of its name, below `root`; `/app` is that folder. */
export async function buildInFolders(stages: readonly Stage[], context: string, root: string): Promise<void> {
  for (const { name, instructions } of stages) {
    const folder = join(root, name);
    await mkdir(folder);
    for (const instruction of instructions) {
      if (instruction.name === 'COPY') await copy(instruction.rest, context, root, folder);
      if (instruction.name === 'RUN') await run(instruction.rest, folder);
    }
  }
}

async function copy(rest: string, context: string, root: string, folder: string): Promise<void> {
  const words = rest.split(' ');
  const [, from] = /^--from=(\w+)$/.exec(words[0] ?? '') ?? [];
  const sources = words.slice(from ? 1 : 0, -1);
  const target = join(folder, words.at(-1) ?? '');
  for (const source of sources) {
    const file = from ? source.replace(/^\/app/, join(root, from)) : join(context, source);
    const into = rest.endsWith('/') ? join(target, source.split('/').at(-1) ?? '') : target;
    await cp(file, into, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  }
}

/** With the Node that runs the tests, as the base image has one of the same version. */
async function run(command: string, cwd: string): Promise<void> {
  const { HOME, PATH = '' } = process.env;
  const env = {
    HOME,
    PATH: [dirname(process.execPath), PATH].join(delimiter),
    NODE_ENV: 'production',
    npm_config_prefer_offline: 'true',
  };
  await promisify(execFile)('/bin/sh', ['-c', command], { cwd, env, maxBuffer: 16 * 1024 * 1024 });
}
