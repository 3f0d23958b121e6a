/** Both kustomizations, built, and what tests look up in them. */
import { buildManifests, type Manifest } from './kustomize.ts';
import { type Workload, workloadsOf } from './pods.ts';

export const ROLES = ['worker', 'subscriber', 'api'];
export const RUNTIME = 'activity-core-runtime';

export interface BuiltManifests {
  base: Manifest[];
  railiance: Manifest[];
  /** Of railiance, as the following. */
  workloads: Workload[];
  only(kind: string, name?: string): Manifest[];
  workload(component: string): Workload;
  roles(): Workload[];
  runtime(): Record<string, string>;
}

export async function buildBoth(): Promise<BuiltManifests> {
  const [base, railiance] = await Promise.all([buildManifests('k8s/base'), buildManifests('k8s/railiance')]);
  const workloads = workloadsOf(railiance);
  const only = (kind: string, name?: string) =>
    railiance.filter((one) => one.kind === kind && (name === undefined || one.metadata.name === name));
  return {
    base,
    railiance,
    workloads,
    only,
    workload(component) {
      const found = workloads.find((one) => one.component === component);
      if (!found) throw new Error(`there is no ${component}`);
      return found;
    },
    roles: () => workloads.filter(({ component }) => ROLES.includes(component)),
    runtime: () => only('ConfigMap', RUNTIME)[0]?.data as Record<string, string>,
  };
}
