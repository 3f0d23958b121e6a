/** What expressions may read, by name and type, and the values behind it. */

import type { Checker } from './expression-check.ts';
import type { CelNode } from './expression-node.ts';
import { type Knowledge, type Paths, type Place, placeOf, union } from './expression-places.ts';
import type { Fault } from './expression-problem.ts';
import type { CelType } from './expression-types.ts';
import { type Convert, conversionOf } from './expression-values.ts';
import type { Json } from './json.ts';

/** A parsed expression; calling it evaluates it, and throws. */
export interface Tree {
  (bound: Bound): unknown;
  readonly ast: CelNode;
  check(): { valid: boolean; error?: Error };
}

/** What the library does for us; made in expression.ts. */
export interface Engine {
  newChecker(variables: ReadonlyMap<string, CelType>): Checker;
  parse(source: string): Tree;
  /** Puts our checks into the tree; answers what is wrong with it then, if anything. */
  guard(tree: Tree): Error | null;
  /** What is wrong with a regular expression, or null. */
  patternFault(pattern: string): string | null;
  faultOf(error: unknown): Fault;
}

/** Made when a definition is compiled; `bind` is for the hot path. */
export interface Scope {
  readonly variables: ReadonlyMap<string, CelType>;
  /** Variables that exist elsewhere, with the reason why not here. */
  readonly hidden: ReadonlyMap<string, string>;
  readonly engine: Engine;
  readonly checker: Checker;
  readonly known: Knowledge;
  /** The scope with one variable more. */
  with(name: string, type: CelType): Scope;
  /** The scope with the element of `for_each`. `place`: where its value stands; null where that is not known. */
  withElement(name: string, type: CelType, place: Place | null): Scope;
  /** The scope where these are known to be there. */
  assuming(paths: Paths): Scope;
  /** The scope with only these variables; reading another is a problem that tells the reason. */
  only(names: readonly string[], reason: string): Scope;
  /** Each value is converted once, when it is first read. What `values` lacks is looked for in `outer`. */
  bind(values: Readonly<Record<string, Json>>, outer?: Bound): Bound;
}

type Bare = Omit<Scope, 'known' | 'with' | 'withElement' | 'only' | 'assuming'>;

export function scopeOf(
  variables: ReadonlyMap<string, CelType>,
  hidden: ReadonlyMap<string, string>,
  engine: Engine,
  known: Knowledge,
): Scope {
  const shared = new Map<CelType, Convert>();
  const conversions = new Map([...variables].map(([name, type]) => [name, conversionOf(type, shared)]));
  const scope: Bare = {
    variables,
    hidden,
    engine,
    checker: engine.newChecker(variables),
    bind: (values, outer) => new Bound(conversions, values, outer),
  };
  return withKnowledge(scope, known);
}

/** The same variables, types and checker: only what is known of them differs. */
function withKnowledge(scope: Bare, known: Knowledge): Scope {
  const { variables, hidden, engine } = scope;
  const extended = (name: string, type: CelType, place: Place | null, element: string | null): Scope => {
    const places = new Map(known.places);
    if (place) places.set(name, place);
    else places.delete(name);
    return scopeOf(new Map([...variables, [name, type]]), hidden, engine, { ...known, places, element });
  };
  return {
    ...scope,
    known,
    with: (name, type) => extended(name, type, placeOf(name, type), known.element),
    withElement: (name, type, place) => extended(name, type, place, name),
    assuming: (paths) => withKnowledge(scope, { ...known, present: union(known.present, paths) }),
    only: (names, reason) => {
      const [seen, unseen] = [new Map<string, CelType>(), new Map(hidden)];
      for (const [name, type] of variables) {
        if (names.includes(name)) seen.set(name, type);
        else unseen.set(name, reason);
      }
      return scopeOf(seen, unseen, engine, known);
    },
  };
}

/** The values of a scope's variables: as JSON for traces, and, as a Map, the way the library reads them. */
export class Bound extends Map<string, unknown> {
  readonly #conversions: ReadonlyMap<string, Convert>;
  readonly #values: Readonly<Record<string, Json>>;
  readonly #outer: Bound | undefined;

  constructor(
    conversions: ReadonlyMap<string, Convert>,
    values: Readonly<Record<string, Json>>,
    outer: Bound | undefined,
  ) {
    super();
    this.#conversions = conversions;
    this.#values = values;
    this.#outer = outer;
  }

  json(name: string): Json | undefined {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : this.#outer?.json(name);
  }

  override get(name: string): unknown {
    const ready = super.get(name);
    if (ready !== undefined) return ready;
    if (!Object.hasOwn(this.#values, name)) return this.#outer?.get(name);
    const convert = this.#conversions.get(name);
    if (!convert) return undefined;
    const value = convert(this.#values[name]);
    this.set(name, value);
    return value;
  }
}
