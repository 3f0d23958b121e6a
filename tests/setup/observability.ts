/** The files of k8s/observability, and docs/metrics.md, as tests read them. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

export const FOLDER = 'k8s/observability';

const rule = z.strictObject({
  alert: z.string().regex(/^ActivityCore[A-Za-z]+$/),
  expr: z.string(),
  for: z
    .string()
    .regex(/^\d+m$/)
    .optional(),
  labels: z.strictObject({ severity: z.enum(['warning', 'critical']) }),
  annotations: z.strictObject({ summary: z.string().min(10), runbook_url: z.string() }),
});
const prometheusRule = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('PrometheusRule'),
  metadata: z.strictObject({ name: z.string(), labels: z.record(z.string(), z.string()) }),
  spec: z.strictObject({ groups: z.array(z.strictObject({ name: z.string(), rules: z.array(rule) })) }),
});
export type Rule = z.output<typeof rule>;

export function readRules(): Rule[] {
  const text = readFileSync(`${FOLDER}/alerts.yaml`, 'utf8');
  return prometheusRule.parse(parse(text)).spec.groups.flatMap(({ rules }) => rules);
}

const podMonitor = z.looseObject({
  kind: z.literal('PodMonitor'),
  spec: z.looseObject({
    podMetricsEndpoints: z.tuple([
      z.looseObject({
        port: z.literal('http'),
        path: z.literal('/metrics'),
        relabelings: z.tuple([z.strictObject({ targetLabel: z.literal('job'), replacement: z.string() })]),
      }),
    ]),
  }),
});

/** The label `job` that the pods are scraped with. */
export function installationOf(text: string): string {
  return podMonitor.parse(parse(text)).spec.podMetricsEndpoints[0].relabelings[0].replacement;
}

/** Given by whoever scrapes, to every series. */
export const TARGET_LABELS = ['job'];

const target = z.looseObject({ expr: z.string(), legendFormat: z.string() });
const panel = z.looseObject({
  id: z.int(),
  title: z.string(),
  type: z.enum(['row', 'stat', 'timeseries']),
  description: z.string().optional(),
  targets: z.array(target).default([]),
  gridPos: z.strictObject({ h: z.int(), w: z.int(), x: z.int(), y: z.int() }),
});
const dashboard = z.looseObject({ uid: z.string(), title: z.string(), panels: z.array(panel) });
export type Panel = z.output<typeof panel>;

export function readPanels(): Panel[] {
  return dashboard.parse(JSON.parse(readFileSync(`${FOLDER}/dashboard.json`, 'utf8'))).panels;
}

/** As Grafana sends it: its variables are no PromQL. */
export const asSent = (expr: string): string => expr.replaceAll('$__rate_interval', '5m');

export interface DocumentedMetric {
  name: string;
  type: string;
  labels: string[];
  meaning: string;
}

export function readDocumented(heading: string): DocumentedMetric[] {
  const [, below = ''] = readFileSync('docs/metrics.md', 'utf8').split(`\n## ${heading}\n`);
  const section = below.split(/\n## /)[0] ?? '';
  return [...section.matchAll(/^\| `(\w+)` \| (\w+) \|([^|]*)\|([^|]*)\|/gm)].map(
    ([, name = '', type = '', labels = '', meaning = '']) => ({
      name,
      type,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label = '']) => label),
      meaning: meaning.trim(),
    }),
  );
}
