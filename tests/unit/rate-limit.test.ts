/** Whom the limits count as one client. */
import fastify, { type FastifyInstance } from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import { handleError } from '../../src/api/error-handler.ts';
import { limitRequests, WRONG_TOKENS_PER_MINUTE } from '../../src/api/rate-limit.ts';

/** Two requests a minute; `/wrong` is a request whose token was wrong. */
function createLimited(perMinute = 2): FastifyInstance {
  const app = fastify();
  onTestFinished(() => app.close());
  app.setErrorHandler(handleError);
  app.addHook('onRequest', async ({ headers, raw }) => {
    // As Node does when the client has reset its connection.
    if (headers.reset) Object.defineProperty(raw.socket, 'remoteAddress', { value: undefined });
  });
  app.register(async (scope) => {
    const countWrongToken = await limitRequests(scope, perMinute);
    scope.get('/', async () => 'fine');
    scope.get('/wrong', async (request) => {
      await countWrongToken(request);
      return 'wrong';
    });
  });
  return app;
}

const statuses = async (app: FastifyInstance, addresses: string[]) => {
  const answers = [];
  for (const remoteAddress of addresses) answers.push(await app.inject({ url: '/', remoteAddress }));
  return answers.map(({ statusCode }) => statusCode);
};

test('a client that has reset its connection, and so has no address, breaks neither limit', async () => {
  const app = createLimited(WRONG_TOKENS_PER_MINUTE * 2);
  for (const url of ['/', '/wrong']) {
    expect((await app.inject({ url, headers: { reset: '1' } })).statusCode).toBe(200);
  }
  for (let n = 1; n < WRONG_TOKENS_PER_MINUTE; n++)
    await app.inject({ url: '/wrong', headers: { reset: '1' } });
  expect((await app.inject({ url: '/wrong', headers: { reset: '1' } })).statusCode).toBe(429);
  expect((await app.inject({ url: '/wrong' })).statusCode).toBe(200);
});

test('an IPv6 client is its /64', async () => {
  const app = createLimited();
  const addresses = ['2001:db8::1', '2001:db8::2', '2001:db8::ffff:3', '2001:db8:0:1::1'];
  expect(await statuses(app, addresses)).toEqual([200, 200, 429, 200]);
});

test('an IPv4 client is the same over IPv6', async () => {
  const app = createLimited();
  const addresses = ['10.0.0.1', '::ffff:10.0.0.1', '::ffff:a00:1', '::ffff:10.0.0.2'];
  expect(await statuses(app, addresses)).toEqual([200, 200, 429, 200]);
});
