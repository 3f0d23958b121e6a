/** The small files of a state folder: written whole or not at all. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { hasCode } from './process-identity.ts';

const recordedProcess = z.object({ pid: z.int().positive(), identity: z.string() });

const instanceSchema = z.object({
  owner: recordedProcess,
  supervisor: recordedProcess,
  servers: z.object({
    temporal: recordedProcess.optional(),
    nats: recordedProcess.optional(),
    postgres: recordedProcess.optional(),
  }),
});

/** Who runs on a state folder, or ran before a crash. */
export type InstanceRecord = z.output<typeof instanceSchema>;

const port = z.int().min(1).max(65_535);
const portsSchema = z.object({ temporal: port, temporal_ui: port, nats: port, postgres: port }).partial();

export function readInstance(stateDir: string): InstanceRecord | null {
  const text = readText(instanceFile(stateDir));
  return text === null ? null : instanceSchema.parse(JSON.parse(text));
}

export function writeInstance(stateDir: string, instance: InstanceRecord): void {
  writeWhole(instanceFile(stateDir), JSON.stringify(instance));
}

export function instanceFile(stateDir: string): string {
  return join(stateDir, 'instance.json');
}

export function readPorts(stateDir: string): z.output<typeof portsSchema> {
  const text = readText(join(stateDir, 'ports.json'));
  return text === null ? {} : portsSchema.parse(JSON.parse(text));
}

export function writePorts(stateDir: string, ports: z.output<typeof portsSchema>): void {
  writeWhole(join(stateDir, 'ports.json'), JSON.stringify(ports));
}

/** The file's text, which is made and kept at the first call. */
export function readOrCreate(file: string, create: () => string): string {
  const found = readText(file);
  if (found) return found;
  const text = create();
  writeWhole(file, text);
  return text;
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

function writeWhole(file: string, text: string): void {
  const partial = `${file}.partial`;
  writeFileSync(partial, `${text}\n`, { mode: 0o600, flush: true });
  renameSync(partial, file);
}
