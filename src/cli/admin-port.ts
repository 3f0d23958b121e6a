import { createServer } from 'node:net';
import type { Config } from '../config.ts';

/** `dev` takes another port where the wanted one is busy; 0 lets the system choose. */
export async function freeAdminPort(config: Config, say: (message: string) => void): Promise<number> {
  if (config.ADMIN_PORT === 0 || (await isFree(config.ADMIN_HOST, config.ADMIN_PORT)))
    return config.ADMIN_PORT;
  say(`Port ${config.ADMIN_PORT} is busy: the API takes a free one instead.`);
  return 0;
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}
