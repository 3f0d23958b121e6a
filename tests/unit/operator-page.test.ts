/** The files of the operator's page, without a browser: what is served, under which policy, and what they may never do. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import fastify from 'fastify';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { operatorPage, PAGE_FILES } from '../../src/api/operator-page.ts';
import { setSecurityHeaders } from '../../src/api/security-headers.ts';

const FOLDER = 'src/api/page';
const sources = globSync(`${FOLDER}/*`).sort();
const scripts = sources.filter((file) => file.endsWith('.js'));

const app = fastify();
beforeAll(async () => {
  app.addHook('onRequest', async (request, reply) => setSecurityHeaders(request, reply));
  await app.register(operatorPage);
});
afterAll(() => app.close());

test('every file of the folder is served, and nothing else is', () => {
  const served = Object.values(PAGE_FILES).map(({ file }) => join(FOLDER, file));
  expect(served.sort()).toEqual(sources);
});

const urls = Object.keys(PAGE_FILES);
const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

test.each(urls)('%s has its type, a strict policy and the headers of every answer', async (url) => {
  const { statusCode, headers, body } = await app.inject({ url });
  expect(statusCode).toBe(200);
  const file = PAGE_FILES[url]?.file ?? '';
  expect(body).toBe(readFileSync(join(FOLDER, file), 'utf8'));
  expect(headers).toMatchObject({
    'content-type': TYPES[file.split('.').at(-1) ?? ''],
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  });
  const policy = String(headers['content-security-policy']).split('; ');
  expect(policy).toEqual(
    expect.arrayContaining([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "connect-src 'self'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ]),
  );
  expect(policy.join()).not.toMatch(/unsafe|\*|https?:|data:/);
});

test('the page loads its own files alone, all of them, and has nothing inline', () => {
  const page = readFileSync(join(FOLDER, 'index.html'), 'utf8');
  const loaded = [...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, url]) => url ?? '');
  const imported = scripts.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/from '\.\/([\w-]+\.js)'/g)].map(([, name]) => `/page/${name}`),
  );
  expect([...new Set(['/', ...loaded, ...imported])].sort()).toEqual(urls.toSorted());
  expect(page).not.toMatch(/<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)/);
});

/** Each: what it would be, and how it would be written. */
const NEVER: [string, RegExp][] = [
  [
    'markup made of text',
    /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc/,
  ],
  ['text run as code', /\beval\b|new Function|setTimeout\(['"`]|import\(/],
  ['something kept', /localStorage|sessionStorage|indexedDB|document\.cookie|caches\b|serviceWorker/],
  ['another way out', /XMLHttpRequest|WebSocket|EventSource|sendBeacon|window\.open|\.submit\(/],
  ['a method that is named, which none but GET has to be', /method\s*:|['"`](?:POST|PUT|PATCH|DELETE)['"`]/],
  ['a style that the policy would refuse', /\.style\b|['"]style['"]/],
];

test.each(NEVER)('the modules never have %s', (_what, pattern) => {
  const found = scripts.filter((file) => pattern.test(readFileSync(file, 'utf8')));
  expect(found.map((file) => basename(file))).toEqual([]);
});

test('one function asks, and the token goes into its header alone', () => {
  const using = (pattern: RegExp) => scripts.filter((file) => pattern.test(readFileSync(file, 'utf8')));
  expect(using(/\bfetch\(/).map((file) => basename(file))).toEqual(['ask.js']);
  expect(using(/authorization/).map((file) => basename(file))).toEqual(['ask.js']);
});

test('nothing on the page writes: its controls explain, close, show help and take the token', () => {
  const page = readFileSync(join(FOLDER, 'index.html'), 'utf8');
  const buttons = [...page.matchAll(/<button[^>]*>([^<]*)/g)].map(([, text]) => text?.trim());
  expect(buttons).toEqual(['Explain', 'Keys', 'Use it', 'Close', 'Close']);
  expect(page.match(/<form[^>]*>/g)).toHaveLength(2);
  expect(page).not.toMatch(/<form[^>]*(?:action|method)=/);
  for (const file of scripts)
    expect(readFileSync(file, 'utf8'), file).not.toMatch(/element\('(?:button|form|input)'/);
});
