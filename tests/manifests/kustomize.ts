/** Builds a kustomization with the pinned kustomize: the objects that a cluster would get. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { defaultCacheDir, locate } from '../../src/dev/servers/binaries.ts';

const KUSTOMIZE = {
  name: 'kustomize',
  folder: join(import.meta.dirname, 'kustomize'),
  goPackage: 'sigs.k8s.io/kustomize/kustomize/v5',
  goModule: 'sigs.k8s.io/kustomize/kustomize/v5',
};

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  [field: string]: unknown;
}

export async function buildManifests(folder: string): Promise<Manifest[]> {
  return readManifests(await renderManifests(folder));
}

export const readManifests = (text: string): Manifest[] =>
  parseAllDocuments(text).map((document) => document.toJS());

/** @throws Error where kustomize fails, or says anything at all on stderr: a warning is a fault here */
export async function renderManifests(folder: string): Promise<string> {
  const binary = await locate(KUSTOMIZE, {
    cacheDir: process.env.ACTIVITY_CORE_CACHE ?? defaultCacheDir(),
    path: process.env.PATH ?? '',
    log: (message, fields) => console.error(`[kustomize] ${message} ${fields ? JSON.stringify(fields) : ''}`),
    signal: AbortSignal.timeout(280_000),
  });
  const { stdout, stderr } = await promisify(execFile)(binary, ['build', folder]);
  if (stderr) throw new Error(stderr);
  return stdout;
}
