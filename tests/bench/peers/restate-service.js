/** Restate, as its documentation has it: a service handler with journaled steps, called one-way through the ingress. */
import * as restate from '@restatedev/restate-sdk';
import { evaluate, openStore } from './metrics-event.js';

const [databaseUrl, port] = process.argv.slice(2);
const insert = await openStore(databaseUrl);

const metrics = restate.service({
  name: 'metrics',
  handlers: {
    recorded: async (ctx, event) => {
      const decided = await ctx.run('evaluate', () => evaluate(event));
      await ctx.run('insert', () => insert(decided));
    },
  },
});

await restate.serve({ services: [metrics], port: Number(port) });
console.log('ready');
