import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createStateHubClient, type StateHubClient } from '../../src/clients/state-hub.ts';
import { PILOT, type ReposRoot, reposRoot, rosterOf, SCHEDULE } from './repos-root.ts';

interface Hub extends AsyncDisposable {
  client: StateHubClient;
  url: string;
  /** Method, URL and authorization of each request. */
  asked: string[];
}

async function stateHub(answer: RequestListener, timeoutMs = 60_000): Promise<Hub> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? ''}`.trim());
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return {
    client: createStateHubClient({ url, token: 'hub-secret', timeoutMs }),
    url,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const answering =
  (status: number, body: unknown): RequestListener =>
  (_request, response) => {
    response.statusCode = status;
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  };

const slug = { engagement_slug: 'coulomb-loop' };
const sourceOf = async (found: ReturnType<ReposRoot['discover']>) => (await found).roster?.source ?? null;

/** Three rosters, each with one repository of its own. */
const rosters = () =>
  reposRoot({
    'a.yaml': rosterOf({ a: 'a' }),
    'b.yaml': rosterOf({ b: 'b' }),
    'c.yaml': rosterOf({ c: 'c' }),
    ...Object.fromEntries(['a', 'b', 'c', 'd'].map((name) => [`${name}/${SCHEDULE}`, PILOT])),
  });

test('the roster is the first of roster_path, State Hub’s and KAIZEN_ENGAGEMENT_ROSTER, else every folder', async () => {
  await using root = await rosters();
  await using hub = await stateHub(answering(200, { roster_path: 'b.yaml', other: 1 }));
  const deps = { stateHub: hub.client, kaizenEngagementRoster: root.in('c.yaml') };
  expect(await sourceOf(root.discover({ ...slug, roster_path: 'a.yaml' }, deps))).toBe('roster_path');
  expect(hub.asked).toEqual([]);
  const byHub = await root.discover(slug, deps);
  expect(byHub).toMatchObject({ roster: { source: 'state-hub' }, repos_scanned: 1 });
  expect(byHub.entries[0]?.repo).toBe('b');
  expect(hub.asked).toEqual(['GET /engagements/coulomb-loop Bearer hub-secret']);
  expect(await sourceOf(root.discover({}, deps))).toBe('KAIZEN_ENGAGEMENT_ROSTER');
  expect(await root.discover({}, { stateHub: hub.client })).toMatchObject({ roster: null, repos_scanned: 4 });
  expect(hub.asked).toHaveLength(1);
});

test.each([
  ['404', 404, { message: 'unknown' }],
  ['no such field', 200, { slug: 'coulomb-loop' }],
  ['null', 200, { roster_path: null }],
])('State Hub answering with %s means the next source', async (_what, status, body) => {
  await using root = await rosters();
  await using hub = await stateHub(answering(status, body));
  const deps = { stateHub: hub.client, kaizenEngagementRoster: root.in('c.yaml') };
  expect(await sourceOf(root.discover(slug, deps))).toBe('KAIZEN_ENGAGEMENT_ROSTER');
  expect(await sourceOf(root.discover(slug, { stateHub: hub.client }))).toBeNull();
});

test.each([
  ['500', answering(500, 'oops'), true, 'GET /engagements/coulomb-loop: it answered 500'],
  ['503', answering(503, ''), true, 'it answered 503'],
  ['429', answering(429, ''), true, 'it answered 429'],
  ['401', answering(401, ''), false, 'it answered 401; set a valid STATE_HUB_TOKEN'],
  ['403', answering(403, ''), false, 'it answered 403; set a valid STATE_HUB_TOKEN'],
  ['400', answering(400, ''), false, 'it answered 400'],
  ['no JSON', answering(200, '<html>'), true, 'the answer cannot be read (it is not JSON'],
  ['a status that has no answer', answering(204, ''), true, 'it answered 204'],
  ['a path that is no text', answering(200, { roster_path: 5 }), true, 'roster_path'],
  ['a list', answering(200, []), true, 'the answer cannot be read'],
  ['nine megabytes', answering(200, '9'.repeat(9e6)), true, 'more than 8 MiB'],
  ['a broken connection', ((request) => request.socket.destroy()) as RequestListener, true, 'State Hub'],
])('State Hub answering with %s fails the resolver', async (_what, answer, retryable, message) => {
  await using root = await rosters();
  await using hub = await stateHub(answer);
  const failing = root.discover(slug, { stateHub: hub.client, kaizenEngagementRoster: root.in('c.yaml') });
  await expect(failing).rejects.toMatchObject({
    code: 'resolver_failed',
    retryable,
    message: expect.stringContaining(message),
  });
  await expect(failing).rejects.not.toMatchObject({ message: expect.stringContaining('hub-secret') });
});

test.each([301, 302, 307, 308])('a redirect (%i) of State Hub is told, and not followed', async (status) => {
  await using root = await rosters();
  await using elsewhere = await stateHub(answering(200, { roster_path: 'b.yaml' }));
  await using hub = await stateHub((_request, response) => {
    response.writeHead(status, { location: `${elsewhere.url}/engagements/coulomb-loop` }).end();
  });
  await expect(root.discover(slug, { stateHub: hub.client })).rejects.toMatchObject({
    retryable: false,
    message: expect.stringContaining(
      `it answered ${status}, a redirect, which is not followed; set STATE_HUB_URL`,
    ),
  });
  expect(elsewhere.asked).toEqual([]);
});

test('a State Hub that does not answer, or is not there, may be asked again', async () => {
  await using root = await rosters();
  await using slow = await stateHub(() => undefined, 50);
  await expect(root.discover(slug, { stateHub: slow.client })).rejects.toMatchObject({
    retryable: true,
    message: 'State Hub, GET /engagements/coulomb-loop: no answer within 0.05 s',
  });
  const hub = await stateHub(answering(200, {}));
  await hub[Symbol.asyncDispose]();
  await expect(root.discover(slug, { stateHub: hub.client })).rejects.toMatchObject({
    retryable: true,
    message: expect.stringContaining('connection refused'),
  });
});

test('an engagement without State Hub takes KAIZEN_ENGAGEMENT_ROSTER; with neither, both are named', async () => {
  await using root = await rosters();
  const found = root.discover(slug, { kaizenEngagementRoster: root.in('c.yaml') });
  expect(await sourceOf(found)).toBe('KAIZEN_ENGAGEMENT_ROSTER');
  await expect(root.discover(slug)).rejects.toMatchObject({
    retryable: false,
    message: expect.stringMatching(/STATE_HUB_URL.*KAIZEN_ENGAGEMENT_ROSTER/),
  });
});

test('KAIZEN_REPOS_ROOT must be set, and a folder', async () => {
  await using root = await reposRoot({ file: '' });
  const failing = (kaizenReposRoot: string | undefined) => root.discover({}, { kaizenReposRoot });
  await expect(failing(undefined)).rejects.toThrow('KAIZEN_REPOS_ROOT is not set; set it to');
  await expect(failing(root.in('gone'))).rejects.toThrow('cannot be read (ENOENT)');
  await expect(failing(root.in('file'))).rejects.toThrow('is not a folder');
});

test.each([
  ['that is not there', 'gone.yaml', 'is not there'],
  ['that is a folder', 'folder', 'is not a regular file'],
  ['outside the root', '../outside/roster.yaml', 'leads out of KAIZEN_REPOS_ROOT'],
  ['by an absolute path outside the root', '/etc/hostname', 'leads out of KAIZEN_REPOS_ROOT'],
  ['by a link out of the root', 'link.yaml', 'leads out of KAIZEN_REPOS_ROOT'],
  ['that is broken', 'broken.yaml', 'is malformed: broken.yaml:'],
  ['with repos twice', 'twice.yaml', 'is malformed: twice.yaml:2:1 repos: the key `repos` stands here'],
  ['whose repos are no list', 'mapping.yaml', 'is malformed: mapping.yaml:1:8 repos: expected a list'],
  ['of too many values', 'values.yaml', 'more than 50000 values'],
  ['without repos', 'empty.yaml', 'missing required field `repos`'],
  ['of another engagement', 'other.yaml', 'engagement `ohm-loop`; engagement_slug asks for `coulomb-loop`'],
])('a roster %s fails the resolver for good', async (_what, roster_path, message) => {
  await using root = await reposRoot({
    'broken.yaml': 'repos: [\n',
    'twice.yaml': 'repos: []\nrepos: []\n',
    'mapping.yaml': 'repos: { a: b }\n',
    'values.yaml': `repos:\n${'  - { slug: a, path: a }\n'.repeat(17_000)}`,
    'empty.yaml': 'engagement: coulomb-loop\n',
    'other.yaml': rosterOf({}, 'ohm-loop').replace('repos:', 'repos: []'),
  });
  await mkdir(root.in('folder'));
  await writeFile(join(root.outside, 'roster.yaml'), rosterOf({ a: 'a' }));
  await symlink(join(root.outside, 'roster.yaml'), root.in('link.yaml'));
  await expect(root.discover({ ...slug, roster_path })).rejects.toMatchObject({
    code: 'resolver_failed',
    retryable: false,
    message: expect.stringContaining(message),
  });
});

test('the path that State Hub gives is confined to the root as well', async () => {
  await using root = await rosters();
  await writeFile(join(root.outside, 'roster.yaml'), rosterOf({ a: '../root/a' }));
  await using hub = await stateHub(answering(200, { roster_path: '../outside/roster.yaml' }));
  await expect(root.discover(slug, { stateHub: hub.client })).rejects.toMatchObject({
    retryable: false,
    message: 'the roster ../outside/roster.yaml (state-hub) leads out of KAIZEN_REPOS_ROOT',
  });
});

test('the operator’s roster may lie anywhere and be a link; its repositories must be in the root', async () => {
  await using root = await rosters();
  await mkdir(join(root.outside, 'real'));
  await mkdir(join(root.outside, 'repo'));
  await writeFile(join(root.outside, 'real/roster.yaml'), rosterOf({ a: '../root/a', b: 'repo' }));
  await symlink('real/roster.yaml', join(root.outside, 'roster.yaml'));
  const found = await root.discover({}, { kaizenEngagementRoster: join(root.outside, 'roster.yaml') });
  expect(found.entries.map(({ repo }) => repo)).toEqual(['a', 'a']);
  expect(found.skipped).toMatchObject([{ repo: 'b', reason: expect.stringMatching(/^outside_root: /) }]);
});

test('an operator’s roster that is not there fails the resolver', async () => {
  await using root = await reposRoot();
  const kaizenEngagementRoster = join(root.path, 'no/such/roster.yaml');
  await expect(root.discover({}, { kaizenEngagementRoster })).rejects.toThrow(
    `the roster ${kaizenEngagementRoster} (KAIZEN_ENGAGEMENT_ROSTER) is not there`,
  );
});

test('a roster may have fields for other readers, and no repository at all', async () => {
  await using root = await reposRoot({
    'roster.yaml': 'engagement: coulomb-loop\ncontact: ops\nrepos: []\n',
  });
  expect(await root.discover({ roster_path: 'roster.yaml' })).toMatchObject({
    roster: { engagement: 'coulomb-loop' },
    entries: [],
    repos_scanned: 0,
    skipped: [],
  });
});
