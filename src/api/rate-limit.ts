/** How often one client address may ask, and how often it may be wrong about the token. Counted by each process for itself. */
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from './problem.ts';

const MINUTE_MS = 60_000;
/** Far more than a person mistypes or a script's first failure repeats, far fewer than guessing needs. */
export const WRONG_TOKENS_PER_MINUTE = 300;

export interface WrongTokens {
  /** @throws Problem while its address has been wrong too often: not even the right token is looked at then. */
  refuse(request: FastifyRequest): Promise<void>;
  count(request: FastifyRequest): Promise<void>;
}

/** Before the scope's other hooks, so that what is refused costs least. Covers paths that do not exist, too. */
export async function limitRequests(scope: FastifyInstance, perMinute: number): Promise<WrongTokens> {
  await scope.register(rateLimit, { global: false });
  const countRequest = scope.createRateLimit({ max: perMinute, timeWindow: MINUTE_MS });
  const countWrong = scope.createRateLimit({ max: WRONG_TOKENS_PER_MINUTE, timeWindow: MINUTE_MS });
  scope.addHook('onRequest', async (request) => {
    const counted = await countRequest(request);
    if (!counted.isAllowed && counted.isExceeded)
      throw tooMany(`more than ${perMinute} requests a minute from this address`, counted.ttlInSeconds);
  });
  return {
    async refuse(request) {
      const counted = await countWrong(request, { increment: false });
      if (!counted.isAllowed && counted.remaining === 0)
        throw tooMany(
          `${WRONG_TOKENS_PER_MINUTE} wrong tokens within a minute from this address`,
          counted.ttlInSeconds,
        );
    },
    async count(request) {
      await countWrong(request);
    },
  };
}

function tooMany(what: string, seconds: number): Problem {
  return new Problem('too_many_requests', `${what}; again in ${seconds} s`, { retry_after_seconds: seconds });
}
