/** What the text of the image's recipe promises; what it makes is tried in tests/integration/image.test.ts. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { stagesOf } from '../setup/dockerfile.ts';

const text = readFileSync('Dockerfile', 'utf8');
const stages = stagesOf(text);
const image = stages.at(-1);
const all = stages.flatMap(({ instructions }) => instructions);
const of = (name: string) => image?.instructions.filter((one) => one.name === name).map(({ rest }) => rest);

test('every stage is from one base, which is pinned and has the Node of .nvmrc', () => {
  const version = readFileSync('.nvmrc', 'utf8').trim();
  const [first, ...others] = stages;
  expect(first?.base).toMatch(
    new RegExp(`^node:${version.replaceAll('.', '\\.')}-[a-z]+-slim(@sha256:[0-9a-f]{64})?$`),
  );
  expect(others.map(({ base }) => base)).toEqual(others.map(() => first?.name));
});

test('it runs as a user by number who is not root, and is nobody else before its end', () => {
  expect(of('USER')).toEqual([expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/)]);
  const names = image?.instructions.map(({ name }) => name) ?? [];
  expect(names.slice(names.indexOf('USER'))).not.toContain('RUN');
});

test('it starts main.ts by its first line, with the flags that stand there', () => {
  expect(of('ENTRYPOINT')).toEqual(['["/app/src/main.ts"]']);
  expect(readFileSync('src/main.ts', 'utf8')).toMatch(/^#!\/usr\/bin\/env -S MALLOC_ARENA_MAX=\d+ node --/);
});

test('every install leaves development dependencies out, and keeps to the lockfile', () => {
  const npm = all.filter(({ name, rest }) => name === 'RUN' && /\bnpm\b/.test(rest)).map(({ rest }) => rest);
  expect(npm).toEqual(['npm ci --omit=dev', 'npm prune --omit=dev --omit=optional']);
});

test('no secret goes in: no ARG, no mount, no ADD, and only NODE_ENV is set', () => {
  expect(all.map(({ name }) => name).filter((name) => ['ARG', 'ADD'].includes(name))).toEqual([]);
  expect(text.match(/^ENV .*$/gm)).toEqual(['ENV NODE_ENV=production']);
  expect(text).not.toContain('--mount');
  expect(readFileSync('.npmrc', 'utf8')).not.toMatch(/_auth|password|token|registry *=/i);
});

test('.dockerignore lets in what is copied, by name, and nothing else', () => {
  const lines = readFileSync('.dockerignore', 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'));
  expect(lines[0]).toBe('*');
  const copied = all
    .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(' ').slice(0, -1));
  expect(lines.slice(1)).toEqual([...new Set(copied)].toSorted().map((name) => `!${name}`));
});
