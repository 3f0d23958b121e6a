/** Checks expressions against the types of their variables, in an environment of the library's. */
import { type CelType, DYN, DYN_LIST } from './expression-types.ts';

/** The part of the library's Environment that checking needs. */
export interface TypeEnvironment {
  registerType(name: string, definition: { fields: Record<string, string> }): unknown;
  registerVariable(name: string, type: string): unknown;
  registerFunction(signature: string, handler: () => boolean): unknown;
  registerOperator(signature: string, handler: () => boolean): unknown;
  check(source: string): { valid: boolean; type?: string; error?: Error };
}

export type Checked =
  | { ok: true; type: CelType }
  | { ok: false; error: Error; declaredFields: (typeName: string) => readonly string[] };

export interface Checker {
  /** `has`: the offsets of its calls; `names`: all names that the expression reads as fields. */
  check(source: string, has: readonly number[], names: ReadonlySet<string>): Checked;
}

interface TypedEnvironment {
  environment: TypeEnvironment;
  objects: ReadonlyMap<string, CelType & { kind: 'object' }>;
}

/** As long as `has`, so that offsets stay: the library's macro does not check the field that it is asked for. */
const CHECKED_HAS = 'HAS';

export function createChecker(
  variables: ReadonlyMap<string, CelType>,
  newEnvironment: () => TypeEnvironment,
): Checker {
  const closed = declareTypes(variables, new Set(), newEnvironment());
  const hasOpenTypes = [...closed.objects.values()].some((type) => type.rest !== null);

  return {
    check(source, has, names) {
      // The library has no objects that declare some fields and allow others: the names that are read get declared.
      const { environment, objects } = hasOpenTypes
        ? declareTypes(variables, names, newEnvironment())
        : closed;
      const result = environment.check(withCheckedHas(source, has));
      if (result.valid) return { ok: true, type: typeNamed(result.type ?? 'dyn', objects) };
      return {
        ok: false,
        error: result.error ?? new Error('does not check'),
        declaredFields: (typeName) => [...(objects.get(typeName)?.fields.keys() ?? [])],
      };
    },
  };
}

function declareTypes(
  variables: ReadonlyMap<string, CelType>,
  extraFields: ReadonlySet<string>,
  environment: TypeEnvironment,
): TypedEnvironment {
  const names = new Map<CelType, string>();
  const objects = new Map<string, CelType & { kind: 'object' }>();

  function nameOf(type: CelType, path: string): string {
    if (type.kind === 'list') return `list<${nameOf(type.element, `${path}.item`)}>`;
    if (type.kind === 'map') return `map<string, ${nameOf(type.value, `${path}.value`)}>`;
    if (type.kind !== 'object') return type.kind;
    return names.get(type) ?? declareObject(type, path);
  }

  function declareObject(type: CelType & { kind: 'object' }, path: string): string {
    let name = path.replaceAll(/[^\w.]/g, '_');
    while (objects.has(name)) name += '_';
    names.set(type, name);
    objects.set(name, type);
    const fields: Record<string, string> = Object.create(null);
    for (const [field, fieldType] of type.fields) fields[field] = nameOf(fieldType, `${path}.${field}`);
    if (type.rest !== null) {
      for (const field of extraFields) fields[field] ??= nameOf(type.rest, `${path}.${field}`);
    }
    environment.registerType(name, { fields });
    environment.registerOperator(`string in ${name}: bool`, () => true);
    return name;
  }

  environment.registerFunction(`${CHECKED_HAS}(dyn): bool`, () => true);
  for (const [name, type] of variables) environment.registerVariable(name, nameOf(type, name));
  return { environment, objects };
}

function withCheckedHas(source: string, has: readonly number[]): string {
  let checked = source;
  for (const at of has) {
    checked = checked.slice(0, at) + CHECKED_HAS + checked.slice(at + CHECKED_HAS.length);
  }
  return checked;
}

/** The library's name of a type → the type; what JSON does not have (times, durations) is dynamic. */
function typeNamed(name: string, objects: TypedEnvironment['objects']): CelType {
  switch (name) {
    case 'string':
    case 'int':
    case 'double':
    case 'bool':
      return { kind: name };
    case 'list':
      return DYN_LIST;
  }
  const object = objects.get(name);
  if (object) return object;
  const list = /^list<(.+)>$/.exec(name);
  if (list) return { kind: 'list', element: typeNamed(list[1]!, objects) };
  const map = /^map<string, (.+)>$/.exec(name);
  return map ? { kind: 'map', value: typeNamed(map[1]!, objects) } : DYN;
}
