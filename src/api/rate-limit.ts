/** How often one client address may ask, and how often it may be wrong about the token. Counted by each process for itself. */
import rateLimit, { normalizeIP } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from './problem.ts';

const MINUTE_MS = 60_000;
/** Far more than a person mistypes or a script's first failure repeats. */
export const WRONG_TOKENS_PER_MINUTE = 300;

/** For a request whose token was wrong. @throws Problem where its address was wrong too often within a minute. */
export type CountWrongToken = (request: FastifyRequest) => Promise<void>;

/** Before the scope's other hooks, so that what is refused costs least. Covers paths that do not exist, too. */
export async function limitRequests(scope: FastifyInstance, perMinute: number): Promise<CountWrongToken> {
  await scope.register(rateLimit, { global: false, keyGenerator: addressOf });
  const countRequest = scope.createRateLimit({ max: perMinute, timeWindow: MINUTE_MS });
  const countWrong = scope.createRateLimit({ max: WRONG_TOKENS_PER_MINUTE, timeWindow: MINUTE_MS });
  scope.addHook('onRequest', async (request) => {
    const counted = await countRequest(request);
    if (!counted.isAllowed && counted.isExceeded)
      throw tooMany(`more than ${perMinute} requests a minute from this address`, counted.ttlInSeconds);
  });
  return async (request) => {
    const counted = await countWrong(request);
    if (!counted.isAllowed && counted.isExceeded)
      throw tooMany(
        `more than ${WRONG_TOKENS_PER_MINUTE} wrong tokens a minute from this address`,
        counted.ttlInSeconds,
      );
  };
}

/** The /64 of an IPv6 address. A client that has reset its connection has none, whatever the type says. */
function addressOf({ ip }: { ip: string | undefined }): string {
  return ip === undefined ? 'gone' : normalizeIP(ip);
}

function tooMany(what: string, seconds: number): Problem {
  return new Problem('too_many_requests', `${what}; again in ${seconds} s`, { retry_after_seconds: seconds });
}
