#!/usr/bin/env -S MALLOC_ARENA_MAX=2 node --max-semi-space-size=8 --heap-growing-percent=50
/** argv → command. The only place that ends the process. */
const OLDEST = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST) {
  process.stderr.write(
    `activity-core needs Node ${OLDEST} or newer; this is ${process.versions.node}. Start it through npm, which brings its own: npx activity-core …\n`,
  );
  process.exit(2);
}

// Whoever reads may leave early, as `head` does: what is still printed is for nobody, and no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const { runCli } = await import('./cli/run.ts');
const exitCode = await runCli(process.argv.slice(2));
// Embedded runtimes keep threads and sockets for a while; what was printed goes out first.
process.stdout.write('', () => process.exit(exitCode));
