/** What issue 8 asks of the pods of Railiance: how they are confined, set, given secrets and probed, and what they mount. */
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { parseConfig, readEnvironmentWithoutSettings } from '../../src/config.ts';
import { buildBoth, ROLES, RUNTIME } from '../manifests/built.ts';
import type { Workload } from '../manifests/pods.ts';

/** Resident, under a backlog: the goal of docs/performance.md. */
const MEASURED_MEMORY_MB = 350;

const { railiance, workloads, only, workload, roles, runtime } = await buildBoth();

describe('every pod', () => {
  test('there are three Deployments by role and two Jobs', () => {
    expect(workloads.map(({ kind, container }) => `${kind}: ${container.args.join(' ')}`).toSorted()).toEqual(
      [
        'Deployment: serve --roles api',
        'Deployment: serve --roles subscriber',
        'Deployment: serve --roles worker',
        'Job: definitions apply',
        'Job: migrate --service-role activity_core_service',
      ],
    );
  });

  test('is confined: no root, no writable root, no capability, no token, its own seccomp profile', () => {
    for (const { pod, container } of workloads) {
      expect(pod).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      });
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
    }
  });

  test('runs as the user of the image, in the image of this version', () => {
    const [, user, group] = /^USER (\d+):(\d+)$/m.exec(readFileSync('Dockerfile', 'utf8')) ?? [];
    for (const { pod, container } of workloads) {
      expect(container.image).toBe(`activity-core:${packageJson.version}`);
      expect(pod.securityContext).toMatchObject({ runAsUser: Number(user), runAsGroup: Number(group) });
    }
  });

  test('has memory for what was measured, and no limit of CPU', () => {
    for (const { container } of workloads) {
      const { requests, limits } = container.resources ?? { requests: {}, limits: {} };
      expect(mebibytes(requests.memory) * 1.048576).toBeGreaterThan(MEASURED_MEMORY_MB);
      expect(mebibytes(limits.memory)).toBeGreaterThan(mebibytes(requests.memory));
      expect(Object.keys(limits)).toEqual(['memory']);
    }
  });
});

const mebibytes = (text = '') => Number(/^(\d+)Mi$/.exec(text)?.[1]);

describe('every role', () => {
  test('is probed for life and readiness', () => {
    for (const { container } of roles()) {
      expect(container.livenessProbe).toMatchObject({ httpGet: { path: '/healthz', port: 'http' } });
      expect(container.readinessProbe).toMatchObject({ httpGet: { path: '/readyz', port: 'http' } });
    }
  });

  test('has longer to end than its stop takes where each step takes as long as it may', () => {
    const source = globSync('src/service/*.ts')
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    const steps = source.match(/await step\('/g)?.length ?? Number.NaN;
    const bound = Number(/STEP_BOUND_MS = ([\d_]+)/.exec(source)?.[1]?.replaceAll('_', '')) / 1000;
    const [, force] = /SHUTDOWN_FORCE = '(\d+) seconds'/.exec(readFileSync('src/worker.ts', 'utf8')) ?? [];
    expect(steps).toBeGreaterThan(4);
    expect(bound).toBeGreaterThan(Number(force));
    for (const { pod } of roles()) expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(steps * bound);
  });

  test('has a budget that lets one of its two go', () => {
    for (const component of ROLES) {
      const labels = { 'app.kubernetes.io/name': 'activity-core', 'app.kubernetes.io/component': component };
      expect(only('Deployment', `activity-core-${component}`)[0]?.spec).toMatchObject({
        replicas: 2,
        selector: { matchLabels: labels },
      });
      expect(only('PodDisruptionBudget', `activity-core-${component}`)[0]?.spec).toMatchObject({
        maxUnavailable: 1,
        selector: { matchLabels: labels },
      });
    }
  });
});

describe('the settings', () => {
  test('the runtime of Railiance asks the model in its namespace for five minutes, and sends nothing', () => {
    expect(runtime()).toMatchObject({
      LLM_CONNECT_URL: 'http://llm-connect.activity-core.svc.cluster.local:8080',
      LLM_CONNECT_TIMEOUT_SECONDS: '300',
      ISSUE_SINK_TYPE: 'null',
    });
    expect(readFileSync('k8s/railiance/20-runtime.yaml', 'utf8')).toContain(`name: ${RUNTIME}`);
  });

  const namesOf = ({ container }: Workload) => [
    ...(container.env ?? []).map(({ name }) => name),
    ...(container.envFrom?.length ? Object.keys(runtime()) : []),
  ];

  test('each is one that the software knows', () => {
    // What is dropped as a setting of ours is one.
    const named = [...new Set(workloads.flatMap(namesOf))];
    for (const name of named) process.env[name] ??= 'for the test';
    const left = readEnvironmentWithoutSettings();
    for (const name of named) delete process.env[name];
    expect(named.length).toBeGreaterThan(12);
    expect(named.filter((name) => name in left)).toEqual([]);
  });

  test('each role can start with its own', () => {
    for (const { container } of roles()) {
      const env = Object.fromEntries((container.env ?? []).map(({ name, value }) => [name, value]));
      // The files and folders are the cluster's.
      const { DATABASE_URL_FILE, ADMIN_TOKEN_FILE, DEFINITIONS_DIR, ...rest } = { ...runtime(), ...env };
      const config = parseConfig({ ...rest, DATABASE_URL: 'postgres://x@x/x', ADMIN_TOKEN: 'x' }, [
        'DATABASE_URL',
        'NATS_URL',
        'issue_core',
      ]);
      expect(config).toMatchObject({ ADMIN_HOST: '0.0.0.0', ISSUE_SINK_TYPE: 'null' });
      expect([DATABASE_URL_FILE, ADMIN_TOKEN_FILE]).toEqual([
        '/run/secrets/activity-core/database-url',
        '/run/secrets/activity-core/admin-token',
      ]);
    }
  });
});

describe('secrets', () => {
  test('none is in a manifest: they are files of Secrets that somebody else makes', () => {
    expect(only('Secret')).toEqual([]);
    for (const { container } of workloads) {
      for (const { name, value, valueFrom } of container.env ?? []) {
        expect(valueFrom, name).toBeUndefined();
        if (/TOKEN|KEY|PASSWORD|DATABASE_URL|CREDS/.test(name)) expect(name).toMatch(/_FILE$/);
        if (name.endsWith('_FILE')) expect(mountOf(container, value)).toBeDefined();
      }
      for (const source of container.envFrom ?? []) expect(Object.keys(source)).toEqual(['configMapRef']);
    }
    const secret = /(TOKEN|KEY|PASSWORD|SECRET|CREDS|DATABASE_URL)$/;
    expect(Object.keys(runtime()).filter((name) => secret.test(name))).toEqual([]);
    expect(JSON.stringify(railiance)).not.toMatch(/:\/\/[^/\s"]+:[^/\s"]+@/);
  });

  test('the owner of the tables is known to the migration alone', () => {
    const secretsOf = ({ pod }: Workload) =>
      (pod.volumes ?? []).flatMap(({ secret }) => secret?.secretName ?? []);
    expect(secretsOf(workload('migrate'))).toEqual(['activity-core-owner']);
    for (const each of [...roles(), workload('apply-definitions')])
      expect(secretsOf(each)).toEqual(['activity-core-service']);
  });
});

const mountOf = ({ volumeMounts = [] }: Workload['container'], path = '') =>
  volumeMounts.find(({ mountPath, readOnly }) => readOnly && path.startsWith(`${mountPath}/`));

describe('what is mounted', () => {
  test('every definition and event type is in its ConfigMap as it is in its file', () => {
    const dataOf = (prefix: string) =>
      only('ConfigMap').find(({ metadata }) => metadata.name.startsWith(prefix))?.data as Record<
        string,
        string
      >;
    const files = (pattern: string) =>
      Object.fromEntries(globSync(pattern).map((file) => [basename(file), readFileSync(file, 'utf8')]));
    expect(dataOf('activity-core-definitions-')).toEqual(files('definitions/*.yaml'));
    expect(dataOf('activity-core-event-types-')).toEqual(files('definitions/event-types/*.yaml'));
  });

  test.each(['api', 'apply-definitions'])('the %s sees them as the folder that they are', (component) => {
    const { pod, container } = workload(component);
    const folder = container.env?.find(({ name }) => name === 'DEFINITIONS_DIR')?.value;
    const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === folder);
    const sources = pod.volumes?.find(({ name }) => name === mount?.name)?.projected?.sources ?? [];
    const names = sources.flatMap(({ configMap }) => configMap?.name ?? []);
    expect(names.filter((name) => only('ConfigMap', name).length === 1)).toHaveLength(2);
    const paths = sources
      .flatMap(({ configMap }) => configMap?.items ?? [])
      .map(({ path }) => `definitions/${path}`);
    expect(paths.toSorted()).toEqual(globSync('definitions/event-types/*.yaml').toSorted());
  });

  test('one volume, which several may write, is the working memory: the worker writes it, the API reads it', () => {
    expect(only('PersistentVolumeClaim').map(({ spec }) => spec)).toMatchObject([
      { accessModes: ['ReadWriteMany'] },
    ]);
    const [claim] = only('PersistentVolumeClaim');
    const holders = workloads.filter(({ pod }) => pod.volumes?.some((each) => each.persistentVolumeClaim));
    expect(holders.map(({ component }) => component).toSorted()).toEqual(['api', 'worker']);
    for (const { component, pod, container } of holders) {
      const folder = container.env?.find(({ name }) => name === 'WORKING_MEMORY_DIR')?.value;
      const mount = container.volumeMounts?.find(({ mountPath }) => mountPath === folder);
      const volume = pod.volumes?.find(({ name }) => name === mount?.name);
      expect(volume?.persistentVolumeClaim?.claimName).toBe(claim?.metadata.name);
      expect(mount?.readOnly === true).toBe(component === 'api');
    }
  });
});
