/** Kubernetes' own schemas, out of its Go module: objects are held against them with unknown fields refused. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import type { Manifest } from './kustomize.ts';

type Schema = Record<string, unknown> & { properties?: Record<string, Schema> };
interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

/** Says what is wrong with an object, a line for each fault. */
export type CheckManifest = (manifest: Manifest) => string[];

const MODULE = 'k8s.io/kubernetes';

/** The module is downloaded once and checked against go.sum; from then on it is read from Go's module cache. */
export async function loadKubernetesCheck(): Promise<CheckManifest> {
  const cwd = join(import.meta.dirname, 'kubernetes');
  const goMod = await readFile(join(cwd, 'go.mod'), 'utf8');
  const [, version] = /k8s\.io\/kubernetes (v\S+)/.exec(goMod) ?? [];
  const { stdout } = await promisify(execFile)('go', ['mod', 'download', '-json', `${MODULE}@${version}`], {
    cwd,
  });
  const file = join(JSON.parse(stdout).Dir, 'api/openapi-spec/swagger.json');
  const { definitions }: { definitions: Record<string, Schema> } = JSON.parse(await readFile(file, 'utf8'));
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: 'kubernetes', definitions: mapValues(definitions, strict) });
  return (manifest) => {
    const name = Object.keys(definitions).find((each) => isOf(definitions[each], manifest));
    if (name === undefined) return [`Kubernetes has no ${manifest.apiVersion} ${manifest.kind}`];
    const validate = ajv.compile({ $ref: `kubernetes#/definitions/${name}` });
    const isValid: boolean = validate(manifest);
    if (isValid) return [];
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) =>
        `${manifest.kind} ${manifest.metadata.name} ${instancePath}: ${message} ${JSON.stringify(params)}`,
    );
  };
}

function isOf(schema: Schema | undefined, { apiVersion, kind }: Manifest): boolean {
  const kinds = (schema?.['x-kubernetes-group-version-kind'] ?? []) as GroupVersionKind[];
  return kinds.some(
    (each) => [each.group, each.version].filter(Boolean).join('/') === apiVersion && each.kind === kind,
  );
}

/** As the API server takes it: a field that is not named is refused, and a port may be a number or a name. */
function strict(schema: Schema): Schema {
  if (schema.format === 'int-or-string') return { type: ['integer', 'string'] };
  const { properties } = schema;
  if (!properties) return schema;
  return {
    ...schema,
    properties: mapValues(properties, strict),
    additionalProperties: schema.additionalProperties ?? false,
  };
}

function mapValues<T>(object: Record<string, T>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
