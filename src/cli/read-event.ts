/** The envelope that a run is given. Whether it is a valid one is the service's to say. */
import type { JsonObject } from '../core/json.ts';
import type { Cli } from './cli.ts';
import { UsageError } from './usage-error.ts';

/** `file`: `-` is standard input. @throws UsageError */
export async function readEvent(cli: Cli, file: string): Promise<JsonObject> {
  const bytes = await cli.readInput(file);
  const place = file === '-' ? 'standard input' : file;
  let event: unknown;
  try {
    event = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new UsageError(`${place} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof event === 'object' && event !== null && !Array.isArray(event)) return event as JsonObject;
  throw new UsageError(`${place} holds no envelope: expected a JSON object`);
}
