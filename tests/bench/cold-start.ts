/** (i) From starting the process to its first 200 of /readyz, with a migrated database and servers that run. */
import { type Bench, inRounds } from './bench.ts';
import { medianRow, type Row } from './report.ts';
import { openSubject } from './subject.ts';

export async function measureColdStart(bench: Bench): Promise<Row[]> {
  await using subject = await openSubject(bench.servers);
  const seconds = await inRounds(bench, async () => {
    const started = performance.now();
    await subject.start();
    const took = performance.now() - started;
    await subject.stop();
    return took / 1_000;
  });
  return [medianRow('cold_start', '`serve`, from its start to ready', 's', seconds)];
}
