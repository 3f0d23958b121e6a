/** A pass that keeps the volume of quarantine true and, where it is full, gives up the bytes of what is closed. */
import type { Pool } from '../store/pool.ts';
import { measureQuarantine, readQuarantineBytes, releaseClosed } from '../store/quarantine-volume.ts';
import type { Logger } from '../telemetry/logger.ts';

const MEASURE_INTERVAL_MS = 60_000;
/** A measurement reads every row: it may take this part of the time. */
const MEASURE_SHARE = 0.02;
const RELEASE_ROWS = 500;

export interface QuarantineRoomDeps {
  pool: Pool;
  maxBytes: number;
  logger: Logger;
}

export function createKeepQuarantineRoom({ pool, maxBytes, logger }: QuarantineRoomDeps) {
  let measureAt = 0;
  return async function keepQuarantineRoom(): Promise<void> {
    const begun = performance.now();
    if (begun >= measureAt) {
      await measureQuarantine(pool);
      const ended = performance.now();
      measureAt = ended + Math.max(MEASURE_INTERVAL_MS, (ended - begun) / MEASURE_SHARE);
    }
    let released = 0;
    while ((await readQuarantineBytes(pool)) >= maxBytes) {
      const rows = await releaseClosed(pool, RELEASE_ROWS);
      if (rows === 0) break;
      released += rows;
    }
    if (released > 0)
      logger.info({ released }, 'quarantine was full: bytes of what is redriven or discarded were given up');
  };
}
