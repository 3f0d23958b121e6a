/** Whatever stands in a definition or event type: it compiles, or each fault has its place. Never a throw. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { createAttributesSchemaCheck } from '../../src/core/attributes.ts';
import { parseDocument } from '../../src/core/document.ts';
import { createSchemaCheck } from '../../src/core/json-schema.ts';
import { checkDefinition, checkEventType, type RegistryEntry } from '../../src/definitions/check.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { useFuzzSeed } from '../setup/fuzz-seed.ts';

useFuzzSeed();

const yamlIn = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => ({ name: name.replace('.yaml', ''), text: readFileSync(join(folder, name), 'utf8') }));

const DEFINITIONS = yamlIn('definitions');
const EVENT_TYPES = yamlIn('definitions/event-types');
const resolvers = createResolvers();
const checkAttributesSchema = createAttributesSchemaCheck();
const checkOutputSchema = createSchemaCheck();
const registry: ReadonlyMap<string, RegistryEntry> = new Map(
  EVENT_TYPES.map(({ name, text }) => [name, { file: `${name}.yaml`, eventType: parse(text) }]),
);

interface Place {
  line: number;
  column: number;
  message: string;
}

/** The faults of a file with this text; none where it is valid. */
function faultsOf(kind: 'definition' | 'event_type', name: string, text: string): readonly Place[] {
  const parsed = parseDocument(Buffer.from(text));
  if (!parsed.ok) return parsed.faults;
  const file = `${name}.yaml`;
  const source = { file, realPath: file, name, inEventTypesFolder: kind === 'event_type' };
  const checked =
    kind === 'definition'
      ? checkDefinition(source, parsed.document, resolvers, registry, checkOutputSchema)
      : checkEventType(source, parsed.document, checkAttributesSchema);
  return checked.ok ? [] : checked.errors;
}

function everyFaultHasItsPlace(faults: readonly Place[]): void {
  for (const { line, column, message } of faults) {
    expect(line).toBeGreaterThan(0);
    expect(column).toBeGreaterThan(0);
    expect(message).not.toBe('');
  }
}

const EXPRESSIONS = [
  ...['{{', '{{ }}', '{{ a', '}}', '{{ context.x }}', 'context', 'event.attributes', 'has(event.x)', '1 / 0'],
  ...[
    '[1,2,3].map(x, x)',
    '"a".matches("(a+)+$")',
    'a.b.c.d',
    '-',
    '"',
    '\\',
    '1e999',
    '18446744073709551616u',
  ],
  ...['('.repeat(300), '!'.repeat(3000), '[[[[[[1]]]]]]', '1+'.repeat(2000), 'a.'.repeat(2000), 'x ? y : z'],
  ...['* * * * *', '61 * * * *', '@daily', 'Europe/Berlin', '99999999999h', '-1s', '1h30m', '0s'],
];
const VALUES: unknown[] = [null, true, 0, -1, 1.5, 1e300, '', [], {}, [null], { type: 'event-payload' }];
const anyValue = fc.oneof(
  fc.constantFrom(...EXPRESSIONS),
  fc.constantFrom(...VALUES),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.jsonValue({ depthSize: 'small' }),
);

/** Every place of a document, as the steps that lead there. */
function placesOf(value: unknown, at: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [at];
  const children = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [at, ...children.flatMap(([step, child]) => placesOf(child, [...at, step]))];
}

type Operation = 'replace' | 'remove' | 'rename' | 'repeat';

function changed(
  document: unknown,
  place: (string | number)[],
  operation: Operation,
  value: unknown,
): unknown {
  const [step, ...rest] = place;
  if (step === undefined) return value;
  if (Array.isArray(document)) {
    const copy = [...document];
    const index = Number(step);
    if (rest.length > 0) copy[index] = changed(copy[index], rest, operation, value);
    else if (operation === 'remove') copy.splice(index, 1);
    else if (operation === 'repeat') copy.splice(index, 0, copy[index]);
    else copy[index] = value;
    return copy;
  }
  const entries = Object.entries(document as object);
  return Object.fromEntries(
    entries.flatMap(([name, child]): [string, unknown][] => {
      if (name !== step) return [[name, child]];
      if (rest.length > 0) return [[name, changed(child, rest, operation, value)]];
      if (operation === 'remove') return [];
      return operation === 'replace' ? [[name, value]] : [[`${name}x`, child]];
    }),
  );
}

/** A shipped file with up to four of its values, keys or elements changed. */
const mutant = (files: { name: string; text: string }[]) =>
  fc
    .tuple(
      fc.constantFrom(...files),
      fc.array(
        fc.tuple(
          fc.nat(),
          fc.constantFrom<Operation[]>('replace', 'replace', 'remove', 'rename', 'repeat'),
          anyValue,
        ),
        { minLength: 1, maxLength: 4 },
      ),
    )
    .map(([{ name, text }, changes]) => {
      let document: unknown = parse(text);
      for (const [n, operation, value] of changes) {
        const places = placesOf(document);
        document = changed(document, places[n % places.length] ?? [], operation, value);
      }
      return { name, text: stringify(document) };
    });

/** A shipped file with some of its characters replaced, removed or repeated. */
const damaged = (files: { name: string; text: string }[]) =>
  fc
    .tuple(
      fc.constantFrom(...files),
      fc.array(
        fc.tuple(
          fc.nat(),
          fc.oneof(
            fc.constantFrom(
              '\t',
              '\n',
              ': ',
              '- ',
              '&a ',
              '*a',
              '{',
              '}',
              '[',
              ']',
              '"',
              "'",
              '|',
              '#',
              '<<: ',
              '%',
            ),
            fc.string({ maxLength: 4 }),
          ),
          fc.nat(12),
        ),
        { minLength: 1, maxLength: 6 },
      ),
    )
    .map(([{ name, text }, damages]) => ({
      name,
      text: damages.reduce((before, [n, put, cut]) => {
        const at = n % (before.length + 1);
        return before.slice(0, at) + put + before.slice(at + cut);
      }, text),
    }));

test.each([['definition', DEFINITIONS] as const, ['event_type', EVENT_TYPES] as const])(
  'a shipped %s is valid as it is',
  (kind, files) => {
    for (const { name, text } of files) expect(faultsOf(kind, name, text), name).toEqual([]);
  },
);

test.each([
  ['definition', 'values', mutant(DEFINITIONS), 300],
  ['definition', 'characters', damaged(DEFINITIONS), 500],
  ['event_type', 'values', mutant(EVENT_TYPES), 300],
  ['event_type', 'characters', damaged(EVENT_TYPES), 500],
] as const)(
  'a shipped %s with changed %s is valid, or each fault has its place',
  (kind, _what, files, numRuns) => {
    fc.assert(
      fc.property(files, ({ name, text }) => everyFaultHasItsPlace(faultsOf(kind, name, text))),
      { numRuns, interruptAfterTimeLimit: 4_000 },
    );
  },
);
