import { afterEach, beforeEach, expect, test } from 'vitest';
import { createStateHubClient } from '../../src/clients/state-hub.ts';
import { type StateHubStandIn, startStateHubStandIn } from '../../src/dev/stand-ins/state-hub.ts';

let standIn: StateHubStandIn;
beforeEach(async () => {
  standIn = await startStateHubStandIn({ engagements: { 'coulomb-loop': { roster_path: 'a/roster.yaml' } } });
});
afterEach(() => standIn.close());

test('it tells the roster of an engagement that it knows, and of no other', async () => {
  const client = createStateHubClient({ url: standIn.url, token: 'any' });
  expect(await client.getEngagement('coulomb-loop')).toEqual({ roster_path: 'a/roster.yaml' });
  expect(await client.getEngagement('another')).toBeNull();
});

test.each([
  ['GET', '/engagements/another', 404, 'not_found'],
  ['GET', '/engagements/__proto__', 404, 'not_found'],
  ['GET', '/workstreams?status=active', 404, 'not_found'],
  ['POST', '/progress', 405, 'method_not_allowed'],
])('%s %s is refused with %i', async (method, path, status, error) => {
  const response = await fetch(`${standIn.url}${path}`, { method });
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ error });
});

test('it says what it is, and listens on loopback alone', async () => {
  const response = await fetch(standIn.url);
  expect(response.headers.get('server')).toBe('activity-core-state-hub-stand-in');
  expect(await response.json()).toMatchObject({ about: expect.stringContaining('stand-in for State Hub') });
  expect(new URL(standIn.url).hostname).toBe('127.0.0.1');
});

test('closed, it is gone, also for clients that keep their connection; closing again is no error', async () => {
  await (await fetch(standIn.url)).text();
  await standIn.close();
  await standIn.close();
  await expect(fetch(standIn.url)).rejects.toThrow();
});
