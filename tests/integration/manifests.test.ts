/** Both kustomizations, built with kustomize and held against Kubernetes' own schemas, and who may reach whom. */
import { describe, expect, test } from 'vitest';
import { buildBoth, ROLES } from '../manifests/built.ts';
import { loadKubernetesCheck } from '../manifests/kubernetes.ts';
import { policiesOf, selects, workloadsOf } from '../manifests/pods.ts';

const check = await loadKubernetesCheck();
const { base, railiance, only, runtime } = await buildBoth();

describe("Kubernetes' schemas", () => {
  test('every object of both keeps to its schema', () => {
    expect(base.length).toBeGreaterThan(15);
    expect(railiance.length).toBeGreaterThan(base.length);
    expect([...base, ...railiance].flatMap(check)).toEqual([]);
  });

  const pod = (change: Record<string, unknown>) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'x' },
    spec: { containers: [{ name: 'x', ...change }] },
  });

  test.each([
    ['an unknown field', pod({ imagePulPolicy: 'Always' }), 'must NOT have additional properties'],
    ['a wrong type', pod({ args: 'serve' }), 'must be array'],
    [
      'a required field that is missing',
      pod({ env: [{ value: 'x' }] }),
      "must have required property 'name'",
    ],
    ['a version that is gone', { ...pod({}), apiVersion: 'v1beta1' }, 'Kubernetes has no v1beta1 Pod'],
  ])('%s is a fault', (_, manifest, fault) => {
    expect(check(manifest).join('\n')).toContain(fault);
  });

  test('a pod without a fault has none', () => {
    expect(check(pod({ args: ['serve'], ports: [{ containerPort: 80 }] }))).toEqual([]);
  });
});

describe('the way in', () => {
  test('there is one Service, it is a ClusterIP of the API, and nothing opens it further', () => {
    const services = only('Service');
    expect(services.map(({ spec }) => spec)).toEqual([
      {
        type: 'ClusterIP',
        publishNotReadyAddresses: true,
        selector: { 'app.kubernetes.io/name': 'activity-core', 'app.kubernetes.io/component': 'api' },
        ports: [{ name: 'http', port: 8080, targetPort: 'http' }],
      },
    ]);
    const text = JSON.stringify([...base, ...railiance]);
    expect(text).not.toMatch(/"kind":"(Ingress|Gateway|HTTPRoute|TCPRoute|Route|IngressRoute)"/);
    expect(text).not.toMatch(/LoadBalancer|NodePort|externalIPs|hostPort|hostNetwork/);
  });

  test('of what may come in, the API has only what labelled namespaces ask', () => {
    const into = (component: string) =>
      policiesOf(railiance)
        .filter((policy) => selects(policy, component))
        .flatMap(({ ingress = [] }) => ingress);
    const labelled = (label: string) => [
      {
        from: [{ namespaceSelector: { matchLabels: { [label]: 'true' } } }],
        ports: [{ protocol: 'TCP', port: 8080 }],
      },
    ];
    expect(into('api')).toEqual(labelled('activity-core/api-client'));
    expect(into('worker')).toEqual(labelled('activity-core/scraper'));
    expect(into('subscriber')).toEqual(labelled('activity-core/scraper'));
    expect([...into('migrate'), ...into('apply-definitions')]).toEqual([]);
  });
});

describe('the ways out', () => {
  test('everything is denied that no policy names, in both directions, for each of our pods', () => {
    for (const manifests of [base, railiance]) {
      const deny = policiesOf(manifests).filter(({ ingress, egress }) => !ingress && !egress);
      expect(deny).toHaveLength(1);
      for (const { component } of workloadsOf(manifests)) {
        expect(
          deny.filter((policy) => selects(policy, component)).map(({ policyTypes }) => policyTypes),
        ).toEqual([['Ingress', 'Egress']]);
      }
    }
  });

  /** Each as `namespace:port`. */
  const from = (component: string): string[] =>
    policiesOf(railiance)
      .filter((policy) => selects(policy, component))
      .flatMap(({ egress = [] }) => egress)
      .flatMap(({ to = [], ports = [] }) =>
        to.flatMap(({ namespaceSelector, podSelector }) => {
          const namespace = namespaceSelector?.matchLabels['kubernetes.io/metadata.name'];
          const where = namespace ?? `activity-core/${podSelector?.matchLabels['app.kubernetes.io/name']}`;
          return ports.map(({ port, protocol }) => `${where}:${port}${protocol === 'UDP' ? '/udp' : ''}`);
        }),
      )
      .toSorted();
  const DNS = ['kube-system:53', 'kube-system:53/udp'];
  const OTHERS = ['activity-core/llm-connect:8080', 'issue-core:8080', 'state-hub:8000'];

  test.each([
    ['worker', [...DNS, ...OTHERS, 'postgres:5432', 'temporal:7233']],
    ['api', [...DNS, ...OTHERS, 'nats:4222', 'postgres:5432', 'temporal:7233']],
    ['subscriber', [...DNS, 'nats:4222', 'postgres:5432', 'temporal:7233']],
    ['migrate', [...DNS, 'postgres:5432']],
    ['apply-definitions', [...DNS, 'postgres:5432', 'temporal:7233']],
  ])('the %s reaches what it needs, and nothing else', (component, expected) => {
    expect(from(component)).toEqual(expected.toSorted());
  });

  test('each address of the runtime has its way out', () => {
    const addresses = Object.values(runtime()).flatMap((value) => {
      const [, service, namespace, port] = /([\w-]+)\.([\w-]+)\.svc\.cluster\.local:(\d+)/.exec(value) ?? [];
      if (!service) return [];
      return [namespace === 'activity-core' ? `activity-core/${service}:${port}` : `${namespace}:${port}`];
    });
    expect(addresses).toHaveLength(5);
    const ways = new Set(ROLES.flatMap(from));
    expect(addresses.filter((address) => !ways.has(address))).toEqual([]);
  });
});
