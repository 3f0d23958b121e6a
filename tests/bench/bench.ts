import type { Servers } from '../../src/dev/servers.ts';
import type { BenchOptions } from './options.ts';
import type { Row } from './report.ts';

export interface Bench {
  servers: Servers;
  options: BenchOptions;
  tell(message: string): void;
}

/** One thing that is measured, after the one before has stopped all that it started. */
export interface Measurement {
  /** As docs/performance.md names them; more than one where they come out of the same work. */
  letters: string[];
  title: string;
  measure(bench: Bench): Promise<Row[]>;
}

/** The same work for each round, in order. */
export async function inRounds<T>({ options, tell }: Bench, measure: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    if (options.rounds > 1) tell(`  round ${round} of ${options.rounds}`);
    results.push(await measure());
  }
  return results;
}
