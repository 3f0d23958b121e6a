/** `promote`: walks an operator from audit to live. It changes nothing. */
import type { Command } from 'commander';
import { type ApiOptions, apiCommand, type Cli, connectApi, printJson } from './cli.ts';
import { promotionStory } from './promote-story.ts';

export function addPromote(program: Command, cli: Cli): void {
  apiCommand(
    program,
    'promote <definition>',
    'what a definition needs to make real tasks, step by step; changes nothing',
  ).action(async (definitionId: string, options: ApiOptions) => {
    const promotion = await (await connectApi(cli, options)).getPromotion(definitionId);
    if (options.json) printJson(cli.terminal, promotion);
    else cli.terminal.print(promotionStory(cli.terminal, promotion).join('\n'));
    cli.end(promotion.ready ? 0 : 1);
  });
}
