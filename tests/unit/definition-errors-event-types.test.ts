import { describe, expect, test } from 'vitest';
import { edit, errorsOf } from '../setup/refused-definitions.ts';
import { METRICS_TYPE } from './definition-folder.ts';

describe('event types', () => {
  const type = (from: string, to: string) => ({
    'kaizen.metrics.recorded.yaml': edit(METRICS_TYPE, from, to),
  });
  const at = 'event-types/kaizen.metrics.recorded.yaml';
  test.each([
    [
      'a file of another name',
      { 'other.yaml': METRICS_TYPE },
      'event-types/other.yaml:1:7 type: expected the name of the file, `other`; found `kaizen.metrics.recorded`',
    ],
    [
      'a schema with an unknown type',
      type('agent: { type: string }', 'agent: { type: strin }'),
      `${at}:8:20 attributes_schema.properties.agent.type: must be one of ["array","boolean","integer","null","number","object","string"], found the text \`strin\`; did you mean \`string\`?`,
    ],
    [
      'a schema with an unknown keyword',
      type('  required: [agent, project, summary]', '  requird: [agent]'),
      `${at}:6:12 attributes_schema.requird: unknown keyword \`requird\`; did you mean \`required\`?`,
    ],
    [
      'a remote reference',
      type('project: { type: string }', 'project: { $ref: "https://example.com/p.json" }'),
      `${at}:9:22 attributes_schema.properties.project.$ref: \`https://example.com/p.json\` is not in this schema; expected a reference into it, as in \`#/$defs/name\``,
    ],
    [
      'a pattern beyond RE2',
      type('agent: { type: string }', 'agent: { type: string, pattern: "^(?=a)" }'),
      `${at}:8:37 attributes_schema.properties.agent.pattern: expected a regular expression that RE2 understands`,
    ],
    [
      'attributes that are no object',
      type('  type: object\n  required: [agent', '  type: array\n  required: [agent'),
      `${at}:5:9 attributes_schema.type: expected \`type: object\`, since attributes are an object`,
    ],
    [
      'a keyword that is only begun, by the type that it stands beside',
      type('runs: { type: integer }', 'runs: { type: integer, min: 0 }'),
      `${at}:15:37 attributes_schema.properties.summary.properties.runs.min: unknown keyword \`min\`; did you mean \`minimum\`?`,
    ],
    [
      'a keyword that is only begun, beside a type by another name',
      type('runs: { type: integer }', 'runs: { type: integer }\n        all: { min: 0 }'),
      '.all.min: unknown keyword `min`; expected one of `minimum`, `minLength`, `minItems`, `minProperties`',
    ],
    [
      'a field that says of itself that it is optional',
      type('runs: { type: integer }', 'runs: { type: integer, optional: true }'),
      'unknown keyword `optional`; a field is optional unless `required` names it: leave this out',
    ],
    [
      'a keyword of the same name as a field',
      type('project: { type: string }', 'min: { type: string, min: 1 }'),
      `${at}:9:31 attributes_schema.properties.min.min: unknown keyword \`min\`; did you mean \`minLength\`?`,
    ],
    [
      'a field that stands beside `properties`',
      type('  properties:\n    agent', '  build: { type: string }\n  properties:\n    agent'),
      `${at}:7:10 attributes_schema.build: unknown keyword \`build\`; a field of the data belongs under \`properties\``,
    ],
    [
      '`required` in a field of its own',
      type('agent: { type: string }', 'agent: { type: string, required: true }'),
      `${at}:8:38 attributes_schema.properties.agent.required: must be array, found \`true\`; \`required\` is a list of names beside \`properties\`, as in \`required: [repo]\``,
    ],
    [
      'a type by the name that another language has for it',
      type('runs: { type: integer }', 'runs: { type: int }'),
      'found the text `int`; did you mean `integer`?',
    ],
    [
      'a required field that the schema itself refuses',
      type(
        '  required: [agent, project, summary]',
        '  additionalProperties: false\n  required: [agent, projet, summary]',
      ),
      `${at}:7:21 attributes_schema.required[1]: \`projet\` is required, and \`additionalProperties: false\` refuses it because \`properties\` does not declare it: nothing can pass here; declare it or take it out; did you mean \`project\`?`,
    ],
    [
      'no schema at all',
      { 'a.b.yaml': 'type: a.b\ntitle: t\nowner: o\n' },
      'event-types/a.b.yaml:1:1 attributes_schema: missing required field `attributes_schema`',
    ],
  ])('%s', async (_name, eventTypes, expected) => {
    const errors = await errorsOf({}, eventTypes);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain(expected);
  });
});
