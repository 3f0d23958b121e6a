import { fileURLToPath } from 'node:url';

/** The migrations belong to the software, not to the folder that it is started in. */
export const MIGRATIONS_DIR = fileURLToPath(new URL('../../migrations', import.meta.url));
