/** What tests look at in manifests, with the shapes that Kubernetes' schemas have held already. */
import type { Manifest } from './kustomize.ts';

export interface Container {
  name: string;
  image: string;
  args: string[];
  env?: { name: string; value?: string; valueFrom?: unknown }[];
  envFrom?: { configMapRef?: { name: string }; secretRef?: unknown }[];
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  securityContext?: unknown;
  resources?: { requests: Record<string, string>; limits: Record<string, string> };
  livenessProbe?: unknown;
  readinessProbe?: unknown;
}

export interface Volume {
  name: string;
  secret?: { secretName: string };
  persistentVolumeClaim?: { claimName: string };
  projected?: { sources: { configMap?: { name: string; items?: { key: string; path: string }[] } }[] };
}

export interface PodSpec {
  containers: Container[];
  initContainers?: unknown;
  volumes?: Volume[];
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  securityContext?: unknown;
  terminationGracePeriodSeconds?: number;
}

export interface Workload {
  component: string;
  kind: string;
  pod: PodSpec;
  container: Container;
}

export function workloadsOf(manifests: readonly Manifest[]): Workload[] {
  return manifests
    .filter(({ kind }) => ['Deployment', 'Job', 'CronJob', 'StatefulSet', 'DaemonSet', 'Pod'].includes(kind))
    .map((manifest) => {
      const { template } = manifest.spec as { template: { spec: PodSpec } };
      const [container, ...others] = template.spec.containers;
      if (!container || others.length > 0)
        throw new Error(`${manifest.metadata.name}: expected one container`);
      const component = manifest.metadata.labels?.['app.kubernetes.io/component'] ?? '';
      return { component, kind: manifest.kind, pod: template.spec, container };
    });
}

interface Peer {
  namespaceSelector?: { matchLabels: Record<string, string> };
  podSelector?: { matchLabels: Record<string, string> };
}
interface Rule {
  from?: Peer[];
  to?: Peer[];
  ports?: { protocol: string; port: number }[];
}

export interface NetworkPolicySpec {
  podSelector: {
    matchLabels?: Record<string, string>;
    matchExpressions?: { key: string; operator: string; values: string[] }[];
  };
  policyTypes: string[];
  ingress?: Rule[];
  egress?: Rule[];
}

export function policiesOf(manifests: readonly Manifest[]): (NetworkPolicySpec & { name: string })[] {
  return manifests
    .filter(({ kind }) => kind === 'NetworkPolicy')
    .map(({ metadata, spec }) => ({ name: metadata.name, ...(spec as NetworkPolicySpec) }));
}

/** The labels of our pods are their name and their component. */
export function selects({ podSelector }: NetworkPolicySpec, component: string): boolean {
  const labels: Record<string, string> = {
    'app.kubernetes.io/name': 'activity-core',
    'app.kubernetes.io/component': component,
  };
  return (
    Object.entries(podSelector.matchLabels ?? {}).every(([key, value]) => labels[key] === value) &&
    (podSelector.matchExpressions ?? []).every(({ key, operator, values }) => {
      if (operator !== 'In') throw new Error(`not understood: ${operator}`);
      return values.includes(labels[key] ?? '');
    })
  );
}
