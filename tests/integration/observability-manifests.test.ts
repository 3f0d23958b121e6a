/** k8s/observability as a cluster gets it, and for a second installation by the commands of docs/metrics.md. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test } from 'vitest';
import { type Manifest, readManifests, renderManifests } from '../manifests/kustomize.ts';
import { FOLDER } from '../setup/observability.ts';
import { readQuery } from '../setup/promql.ts';

let text: string;

beforeAll(async () => {
  text = await renderManifests(FOLDER);
});

/** What the rules read, and what the pods are scraped as. */
function installationsOf(manifests: Manifest[]): string[] {
  const rules = JSON.stringify(manifests.find(({ kind }) => kind === 'PrometheusRule'));
  const scraped = JSON.stringify(manifests.find(({ kind }) => kind === 'PodMonitor'));
  const read = [...rules.matchAll(/"expr":("(?:[^"\\]|\\.)*")/g)].flatMap(([, expr = '""']) =>
    readQuery(JSON.parse(expr)).matchers.map((matchers) => /job="([^"]*)"/.exec(matchers)?.[1] ?? ''),
  );
  const given = [...scraped.matchAll(/"replacement":"([^"]*)"/g)].map(([, job = '']) => job);
  expect([read.length > 20, given.length]).toEqual([true, 1]);
  return [...new Set([...read, ...given])];
}

const placeOf = (manifests: Manifest[]) =>
  manifests.map(({ kind, metadata }) => `${kind} in ${metadata.namespace}`).toSorted();

test('the dashboard, the rules and what is scraped belong to one installation', () => {
  const manifests = readManifests(text);
  expect(placeOf(manifests)).toEqual([
    'ConfigMap in activity-core',
    'PodMonitor in activity-core',
    'PrometheusRule in activity-core',
  ]);
  expect(installationsOf(manifests)).toEqual(['activity-core']);
});

test('a second installation gets alerts of its own by the commands that the document shows', () => {
  const [, steps = ''] =
    /```sh\n(kubectl kustomize [\s\S]*?)```/.exec(readFileSync('docs/metrics.md', 'utf8')) ?? [];
  const script = steps.replace('kubectl kustomize k8s/observability', 'cat');
  expect(script).not.toBe(steps);
  const second = readManifests(execFileSync('sh', ['-c', script], { input: text, encoding: 'utf8' }));
  expect(placeOf(second)).toEqual([
    'ConfigMap in activity-core-staging',
    'PodMonitor in activity-core-staging',
    'PrometheusRule in activity-core-staging',
  ]);
  expect(installationsOf(second)).toEqual(['activity-core-staging']);
});
