/** The Temporal SDK serves its own metrics, on a loopback port; `/metrics` appends them. */
import { createServer } from 'node:net';
import type { Logger } from '../telemetry/logger.ts';

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

export async function readTemporalMetrics(port: number, logger: Logger): Promise<string> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(2_000) });
    return response.ok ? await response.text() : '';
  } catch (error) {
    logger.warn({ err: error }, 'the Temporal SDK’s metrics could not be read');
    return '';
  }
}
