/** How the demo reads. */
import { printable } from '../printable.ts';
import type { Terminal } from '../terminal.ts';
import type { Scene, Told } from './scene.ts';

export interface Story {
  beginning(): void;
  progress(line: string): void;
  ready(apiUrl: string): void;
  sceneBegins(number: number, scene: Scene): void;
  sceneHeld(told: Told): void;
  sceneFailed(message: string): void;
  /** `failed`: titles of the scenes that did not hold. */
  end(total: number, failed: readonly string[]): void;
}

export function createStory(terminal: Terminal): Story {
  const { print, style } = terminal;
  let api = '';
  const tell = (label: string, lines: readonly string[]) => {
    for (const [index, line] of lines.entries()) {
      print(`   ${style('dim', (index === 0 ? label : '').padEnd(9))} ${printable(line)}`);
    }
  };
  return {
    beginning() {
      print('activity-core decides when work should exist, and what that work should say.');
      print(
        'It listens to events and clocks. Definitions, which are YAML files, say which of them ask for which tasks.',
      );
      print('');
      print('First, an instance of its own, with real servers; the very first start takes some minutes.');
    },
    progress: (line) => print(style('dim', `   ${printable(line)}`)),
    ready(apiUrl) {
      api = apiUrl;
      print('');
      print(
        'It is ready. See what it makes of events, of the schedules of repositories and of a clock, and how its tasks become real.',
      );
    },
    sceneBegins(number, { title, given }) {
      print('');
      print(style('bold', `${number}. ${title}`));
      tell('Given', [given]);
    },
    sceneHeld({ happened, why, seeAt, seeWith }) {
      tell('Happened', happened);
      tell('Why', why);
      const body = seeWith ? ` -H 'content-type: application/json' -d '${JSON.stringify(seeWith)}'` : '';
      tell('See it', [`curl '${api}${seeAt}'${body}`]);
      tell('', [style('green', 'held')]);
    },
    sceneFailed(message) {
      tell('', [style('red', 'did not hold'), message]);
    },
    end(total, failed) {
      print('');
      for (const title of failed) print(`Did not hold: ${title}`);
      print(style(failed.length === 0 ? 'green' : 'red', `${total - failed.length} of ${total} held`));
      print('');
      print('The instance and all that it kept are removed now. For one that stays: npm run dev');
    },
  };
}
