/** The dashboard, the alerts and docs/metrics.md, as far as no server is needed to tell. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import {
  asSent,
  FOLDER,
  installationOf,
  readDocumented,
  readPanels,
  readRules,
} from '../setup/observability.ts';
import { readQuery } from '../setup/promql.ts';

const rules = readRules();
const panels = readPanels();
const own = [...readDocumented('activity-core'), ...readDocumented('The process')];

test('docs/metrics.md lists each metric of the process, and no other, with its type and its labels', async () => {
  const { registry } = createMetrics();
  const registered = await registry.getMetricsAsJSON();
  const labelsOf = (name: string): string[] => {
    const metric = registry.getSingleMetric(name);
    return metric && 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames : [];
  };
  const byName = (a: { name: string }, b: { name: string }) => a.name.localeCompare(b.name);
  expect(
    own.map(({ meaning: _, ...one }) => ({ ...one, labels: one.labels.toSorted() })).toSorted(byName),
  ).toEqual(
    registered
      .map(({ name, type }) => ({ name, type: String(type), labels: labelsOf(name).toSorted() }))
      .toSorted(byName),
  );
  expect(own.filter(({ meaning }) => meaning === '')).toEqual([]);
});

test('the lag has no value until somebody has read it', async () => {
  const { registry, consumerLag } = createMetrics();
  expect(await registry.metrics()).not.toMatch(/^activity_core_consumer_lag \d/m);
  consumerLag.set(3);
  expect(await registry.metrics()).toMatch(/^activity_core_consumer_lag 3$/m);
});

describe.each(rules)('$alert', ({ expr, annotations }) => {
  test('is PromQL', () => expect(readQuery(expr).faults).toEqual([]));

  test('leads to a recipe in the runbook', () => {
    const [file = '', anchor] = annotations.runbook_url.split('#');
    const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
      text.toLowerCase().replaceAll(' ', '-'),
    );
    expect(headings).toContain(anchor);
  });

  test('names only labels that its expression leaves', () => {
    const named = [...annotations.summary.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label);
    expect(readQuery(expr).labels).toEqual(expect.arrayContaining(named));
  });
});

test('an alert has a name of its own, and each symptom of the runbook has an alert', () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  const symptoms = [
    'consumer-lag-grows',
    'events-are-quarantined',
    'runs-fail',
    'tasks-stay-pending',
    'an-expectation-is-breached',
    'trust-is-lost',
    'ticks-are-missed',
    'not-ready',
    'nothing-is-measured',
  ];
  const led = new Set(rules.map(({ annotations }) => annotations.runbook_url.split('#')[1]));
  expect([...led].toSorted()).toEqual(symptoms.toSorted());
});

test('silence is an alarm: of every process, of the subscribers, of the workers and of those who watch', () => {
  const watched = rules.flatMap(({ expr }) => [...expr.matchAll(/absent\((\w+)/g)].map(([, name]) => name));
  expect(watched.toSorted()).toEqual([
    'activity_core_consumer_lag',
    'activity_core_ready',
    'activity_core_role',
    'temporal_num_pollers',
  ]);
});

test('an alert reads one installation alone, the one that the pods are scraped as', () => {
  const job = installationOf(readFileSync(`${FOLDER}/pod-monitor.yaml`, 'utf8'));
  const read = rules.flatMap(({ expr }) => readQuery(expr).matchers);
  expect(read.filter((matchers) => !matchers.startsWith(`{job="${job}"`))).toEqual([]);
});

test('the dashboard reads the installation that is chosen, and begins with the one of the alerts', () => {
  const read = panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => readQuery(asSent(expr)).matchers),
  );
  expect(read.filter((matchers) => !matchers.startsWith('{job="$job"'))).toEqual([]);
  const { templating } = JSON.parse(readFileSync(`${FOLDER}/dashboard.json`, 'utf8'));
  expect(templating.list.find(({ name }: { name: string }) => name === 'job').current.value).toBe(
    installationOf(readFileSync(`${FOLDER}/pod-monitor.yaml`, 'utf8')),
  );
});

const exprOf = (alert: string) => rules.find((one) => one.alert === `ActivityCore${alert}`)?.expr ?? '';

test('a lag that stands still is an alarm, and so is one of which nothing is taken', () => {
  expect(exprOf('ConsumerLagGrows')).not.toContain('deriv');
  expect(exprOf('ConsumerLagGrows')).toMatch(
    / >= 0\.95 \* max\(activity_core_consumer_lag\{[^}]*\} offset 15m\)$/,
  );
  expect(exprOf('ConsumerIsStuck')).toMatch(
    /^min_over_time\(max\(activity_core_consumer_lag\b.*\[30m:1m\]\) > 0/,
  );
  expect(exprOf('ConsumerIsStuck')).toMatch(/ and sum\(increase\(activity_core_events_total\b.*\) == 0$/);
});

test('giving up is measured by what gives up, and what waits for an operator has an alarm of its own', () => {
  expect(readQuery(exprOf('TasksAreAboutToBeGivenUp')).metrics).toEqual([
    'activity_core_outbox_oldest_seconds',
    'activity_core_emit_give_up_seconds',
  ]);
  expect(readQuery(exprOf('TasksWaitForSomebody')).metrics).toEqual(['activity_core_outbox_stranded']);
});

test('each counter of failures is seen although it was never scraped before its first one', () => {
  const rising = rules.filter(({ expr }) => /increase\([^)]*\)\) > 0/.test(expr));
  expect(rising.map(({ alert }) => alert)).toHaveLength(4);
  for (const { expr } of rising) {
    const [metric] = readQuery(expr).metrics;
    expect(expr).toMatch(new RegExp(`unless ${metric}\\{[^}]*\\} offset \\d+[mh]\\) > 0$`));
  }
});

test('the process shows its roles and when it gives up, and nothing where it was told neither', async () => {
  const told = await createMetrics({ roles: ['worker', 'api'], emitGiveUpHours: 2 }).registry.metrics();
  expect(told).toContain('activity_core_role{role="api"} 1');
  expect(told).toContain('activity_core_role{role="worker"} 1');
  expect(told).toContain('activity_core_emit_give_up_seconds 7200');
  expect(told).not.toContain('role="subscriber"');
  expect(await createMetrics().registry.metrics()).not.toMatch(
    /^activity_core_(role|emit_give_up_seconds)[ {]/m,
  );
});

test('a gauge that several processes show is never added up over them', () => {
  const gauges = own.filter(({ type, name }) => type === 'gauge' && name.startsWith('activity_core_'));
  const all = [...rules, ...panels.flatMap(({ targets }) => targets)].map(({ expr }) => expr);
  const added = all.filter((expr) =>
    gauges.some(({ name }) => new RegExp(`sum( by \\([^)]*\\))? ?\\(${name}\\b`).test(expr)),
  );
  expect(added).toEqual([]);
});

describe.each(panels.filter(({ type }) => type !== 'row'))('the panel $title', ({ description, targets }) => {
  test('says what it shows, in PromQL', () => {
    expect(description).toBeTruthy();
    expect(targets.length).toBeGreaterThan(0);
    expect(targets.flatMap(({ expr }) => readQuery(asSent(expr)).faults)).toEqual([]);
  });

  test('names its lines by labels that are left', () => {
    for (const { expr, legendFormat } of targets) {
      const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      expect(readQuery(asSent(expr)).labels).toEqual(expect.arrayContaining(named));
    }
  });
});

test('the dashboard shows each metric of activity-core but what retention deletes', () => {
  const shown = panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => readQuery(asSent(expr)).metrics),
  );
  const missing = readDocumented('activity-core').filter(
    ({ name }) => !shown.some((one) => one.replace(/_bucket$/, '') === name),
  );
  expect(missing.map(({ name }) => name)).toEqual(['activity_core_retention_deleted_total']);
});

test('no panel lies on another, and each has an id of its own', () => {
  const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
    Array.from({ length: h * w }, (_, n) => `${x + (n % w)} ${y + Math.floor(n / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
});

test('the kustomization names the files that are there', () => {
  const { resources, configMapGenerator } = parse(readFileSync(`${FOLDER}/kustomization.yaml`, 'utf8'));
  expect(resources).toEqual(['alerts.yaml', 'pod-monitor.yaml']);
  expect(configMapGenerator[0].files).toEqual(['activity-core.json=dashboard.json']);
  expect(configMapGenerator[0].options.labels).toEqual({ grafana_dashboard: '1' });
});

test('a query with a fault is found out', () => {
  expect(readQuery('sum(rate(activity_core_events_total[5m])').faults).toHaveLength(1);
  expect(readQuery('sum by (fate) (activity_core_events_total{fate="x"})')).toEqual({
    metrics: ['activity_core_events_total'],
    matchers: ['{fate="x"}'],
    labels: ['fate', 'fate'],
    faults: [],
  });
});
