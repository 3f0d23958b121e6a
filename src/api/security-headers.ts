/** The headers of every answer, whatever was asked. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import helmet from 'helmet';

// It speaks plain HTTP inside the cluster (SCOPE.md): a browser must not be sent to https.
const protect = helmet({
  strictTransportSecurity: false,
  contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
});

/** Called by hand and not by a plugin's hook: requests that the router refuses pass all hooks by. */
export function setSecurityHeaders(request: FastifyRequest, reply: FastifyReply): void {
  protect(request.raw, reply.raw, (error) => {
    if (error) throw error;
  });
  // Answers hold what was published and decided; nothing on the way may keep them.
  reply.header('cache-control', 'no-store');
}
