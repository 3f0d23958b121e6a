/** Every example of docs/expressions.md is evaluated, and every function that there is has one. */
import { readFileSync } from 'node:fs';
import { Environment } from '@marcbachmann/cel-js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { compileDefinition } from '../../src/core/compile.ts';
import { definitionSchema } from '../../src/core/definition.ts';
import { compileExpression, type Expected } from '../../src/core/expression.ts';
import { compileTemplate } from '../../src/core/template.ts';

const page = readFileSync('docs/expressions.md', 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, block]) => block ?? '');

const [eventType, sources] = blocks('yaml').map((block) => parse(block));
const event = JSON.parse(blocks('json')[0] ?? '');
const scope = scopeOfPage();
const bound = scope.bind({
  event,
  context: { build: event.attributes, teams: sources.context_sources[1].params.value },
  run: {
    run_id: '8c1f6f0a-5f0e-5d55-9b0e-0f2a1c9f7a11',
    definition_id: 'example',
    scheduled_for: null,
    date: '2026-11-20',
  },
});

function scopeOfPage() {
  const definition = definitionSchema.parse({
    id: 'example',
    title: 'An example',
    owner: 'tests',
    trigger: { event: { type: eventType.type } },
    ...sources,
  });
  const contextTypes = { build: eventType.attributes_schema };
  const compiled = compileDefinition(definition, { eventType, contextTypes, reportTexts: [] });
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.problems));
  return compiled.compiled.scope;
}

interface Example {
  source: string;
  kind: string;
  said: string;
}

/** `expression // → result`, `// fails: message` or `// refused: message`. */
const examplesOf = (language: string): Example[] =>
  blocks(language).flatMap((block) =>
    block
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [, source, kind, said] = /^(.*?) +\/\/ (→|fails:|refused:) (.*)$/.exec(line) ?? [];
        if (!source || !kind || said === undefined) throw new Error(`no example: ${line}`);
        return { source, kind, said };
      }),
  );

function outcomeOf(source: string, expected: Expected): { kind: string; said: unknown } {
  const compiled = compileExpression(source, scope, expected);
  if (!compiled.ok) return { kind: 'refused:', said: compiled.problem.message };
  const evaluation = compiled.expression.evaluate(bound);
  return evaluation.ok ? { kind: '→', said: evaluation.value } : { kind: 'fails:', said: evaluation.message };
}

function renderingOf(source: string): { kind: string; said: unknown } {
  const compiled = compileTemplate(source, scope);
  if (!compiled.ok) return { kind: 'refused:', said: compiled.problems[0]?.message };
  const rendering = compiled.template.render(bound);
  return rendering.ok ? { kind: '→', said: rendering.text } : { kind: 'fails:', said: rendering.message };
}

const wanted = ({ kind, said }: Example) =>
  kind === '→' ? { kind, said: JSON.parse(said) } : { kind, said: expect.stringContaining(said) };

describe('expressions', () => {
  test.each(examplesOf('cel'))('$source', (example) => {
    expect(outcomeOf(example.source, 'any')).toEqual(wanted(example));
  });
});

describe('conditions', () => {
  test.each(examplesOf('condition'))('$source', (example) => {
    expect(outcomeOf(example.source, 'bool')).toEqual(wanted(example));
  });
});

describe('templates', () => {
  test.each(examplesOf('template'))('$source', (example) => {
    const { kind, said } = example;
    expect(renderingOf(example.source)).toEqual(kind === '→' ? { kind, said } : wanted(example));
  });
});

/** The library lists them, and they are switched off. */
const OF_OPTIONALS = new Set(['of', 'none', 'or', 'orValue', 'value', 'hasValue']);

test('every function and macro that there is has an example', () => {
  const examples = examplesOf('cel').map(({ source }) => source);
  const names = new Set(new Environment().getDefinitions().functions.map(({ name }) => name));
  const missing = [...names].filter(
    (name) => !OF_OPTIONALS.has(name) && !examples.some((source) => source.includes(`${name}(`)),
  );
  expect(missing).toEqual([]);
  expect(names.size).toBeGreaterThan(40);
});

test('every operator has an example', () => {
  const examples = examplesOf('cel').map(({ source }) => ` ${source} `);
  const operators = ['==', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%', '&&', '||', '?', 'in'];
  const missing = operators.filter(
    (operator) => !examples.some((source) => source.includes(` ${operator} `)),
  );
  expect(missing).toEqual([]);
});
