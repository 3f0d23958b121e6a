/** `demo`: what activity-core does with events, clocks and issue-core, told step by step on a throw-away instance. */
import type { Command } from 'commander';
import type { Cli, ExitCode } from './cli.ts';
import { InstanceError, startInstance } from './demo/instance.ts';
import { NotHeld, type Stage } from './demo/scene.ts';
import { scenes } from './demo/scenes.ts';
import { openStage } from './demo/stage.ts';
import { createStory, type Story } from './demo/story.ts';
import { printable } from './printable.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function addDemo(program: Command, cli: Cli): void {
  program
    .command('demo')
    .description('show what becomes of events, ticks and tasks, on an instance that is removed afterwards')
    .action(async () => cli.end(await demoCommand(cli)));
}

async function demoCommand({ terminal }: Cli): Promise<ExitCode> {
  const stopping = new AbortController();
  // A second signal changes nothing: what was started must be stopped, and that is bounded in time.
  const stop = () => stopping.abort();
  for (const name of SIGNALS) process.on(name, stop);
  try {
    return await playAll(createStory(terminal), stopping.signal);
  } catch (error) {
    if (stopping.signal.aborted) terminal.warn('Stopped before the end; the instance is removed.');
    else if (error instanceof InstanceError) {
      for (const line of error.lines) terminal.warn(`  ${printable(line)}`);
      terminal.warn(`error: ${error.message}; above are the last lines that it wrote`);
    } else throw error;
    return 1;
  } finally {
    for (const name of SIGNALS) process.off(name, stop);
  }
}

async function playAll(story: Story, signal: AbortSignal): Promise<ExitCode> {
  story.beginning();
  await using instance = await startInstance({ onProgress: story.progress, signal });
  await using stage = await openStage(instance, signal);
  story.ready(instance.api_url);
  const failed: string[] = [];
  for (const [index, scene] of scenes.entries()) {
    story.sceneBegins(index + 1, scene);
    const fault = await play(scene, stage, story);
    if (fault) failed.push(`${scene.title}: ${fault}`);
  }
  story.end(scenes.length, failed);
  return failed.length === 0 ? 0 : 1;
}

/** Why it did not hold, else null: the others are played all the same. */
async function play(scene: (typeof scenes)[number], stage: Stage, story: Story): Promise<string | null> {
  try {
    story.sceneHeld(await scene.play(stage));
    return null;
  } catch (error) {
    if (stage.signal.aborted || !(error instanceof Error)) throw error;
    const message = error instanceof NotHeld ? error.message : `the request failed: ${error.message}`;
    story.sceneFailed(message);
    return message;
  }
}
