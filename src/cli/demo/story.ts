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
      print('It listens to events. Definitions, which are YAML files, say which events ask for which tasks.');
      print('');
      print('First, an instance of its own, with real servers; the very first start takes some minutes.');
    },
    progress: (line) => print(style('dim', `   ${printable(line)}`)),
    ready(apiUrl) {
      api = apiUrl;
      print('');
      print('It is ready. Now five things are sent to it, and each has exactly one fate.');
    },
    sceneBegins(number, { title, sent }) {
      print('');
      print(style('bold', `${number}. ${title}`));
      tell('Sent', [sent]);
    },
    sceneHeld({ happened, why, seeAt }) {
      tell('Happened', happened);
      tell('Why', why);
      tell('See it', [`curl '${api}${seeAt}'`]);
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
