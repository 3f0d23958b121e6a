/** `npm run soak`: what is done and checked stands in docs/performance.md. */
import { writeFile } from 'node:fs/promises';
import { environmentLines } from '../bench/environment.ts';
import { verdictLines } from '../setup/checks.ts';
import { drawFigure } from './figure.ts';
import { parseOptions, type SoakArguments, UsageError } from './options.ts';
import { seriesTable } from './report.ts';
import { runSoak, type SoakResult } from './run-soak.ts';
import type { Sample } from './sample.ts';

const CHANGE_EVERY_MS = 20_000;
const SAMPLE_EVERY_MS = 5_000;
const TELL_EVERY_S = 30;
const LEAST_MINUTES = 5;

async function main({ minutes, rate, json, figure }: SoakArguments): Promise<void> {
  const tell = (message: string) => console.error(message);
  const tooShort =
    minutes < LEAST_MINUTES ? `under ${LEAST_MINUTES} minutes: the figures mean nothing` : null;
  if (tooShort) tell(tooShort);
  let told = 0;
  const result = await runSoak({
    seconds: minutes * 60,
    rate,
    changeEveryMs: CHANGE_EVERY_MS,
    leastChanges: 0,
    sampleEveryMs: SAMPLE_EVERY_MS,
    tell,
    onSample(sample) {
      if (sample.at_s < told + TELL_EVERY_S) return;
      told += TELL_EVERY_S;
      tell(progressOf(sample));
    },
  });
  if (figure) await writeFile(figure, drawFigure(figureOf(result)));
  if (json) {
    const { log: _, ...kept } = result;
    await writeFile(json, `${JSON.stringify(kept, null, 2)}\n`);
  }
  console.log(seriesTable(result.series));
  console.log(`\n${verdictLines(result.checks).join('\n')}`);
  console.log(`\n${summaryOf(result)}\n${environmentLines(result.environment)}`);
  if (tooShort) console.log(tooShort);
  const isLost = result.checks.some(({ faults }) => faults.length > 0);
  // Nor is it half of saturation where the publisher could not keep it.
  const isLate = result.published.lost > 0;
  const isGrowing = result.series.some(({ flat }) => flat === false);
  if (isLost) tell(result.log);
  process.exitCode = isLost || isLate || isGrowing ? 1 : 0;
}

function progressOf({
  at_s,
  events_per_second,
  lag,
  rss_mib,
  fds,
  connections,
  latency_p50_ms,
  latency_p95_ms,
}: Sample): string {
  const [minutes, seconds] = [Math.floor(at_s / 60), Math.floor(at_s % 60)];
  const shown = (value: number | null) => (value === null ? '–' : Math.round(value));
  return [
    `${minutes}:${String(seconds).padStart(2, '0')}`,
    `${shown(events_per_second)} events/s`,
    `lag ${shown(lag)}`,
    `${shown(rss_mib)} MiB`,
    `${shown(fds)} descriptors`,
    `${shown(connections)} connections`,
    `p50 ${shown(latency_p50_ms)} ms, p95 ${shown(latency_p95_ms)} ms`,
  ].join('  ');
}

const figureOf = (result: SoakResult) => ({
  title: `activity-core for ${result.seconds / 60} minutes at ${Math.round(result.rate)} events a second`,
  samples: result.samples,
  lasts_s: result.seconds,
  changes_s: result.changes.map(({ at_s }) => at_s),
});

function summaryOf({ seconds, rate, saturation, published, changes }: SoakResult): string {
  const of = saturation === null ? '' : `, half of the ${Math.round(saturation)} of saturation`;
  const lost = published.lost === 0 ? '' : `; ${published.lost} were not sent, the publisher was late`;
  return (
    `${seconds / 60} minutes at ${Math.round(rate)} events/s${of}: ` +
    `${published.metrics} events, ${published.wanted} that want a live task, definitions changed ${changes.length} times${lost}`
  );
}

// What is started here is ended when this process exits, which it does not by itself at a signal.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => process.exit(code));

try {
  await main(parseOptions(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
