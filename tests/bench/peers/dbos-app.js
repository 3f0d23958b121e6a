/** DBOS, as its documentation has it: a workflow with steps, started in the background by an HTTP handler under the event's id. */
import { createServer } from 'node:http';
import { DBOS } from '@dbos-inc/dbos-sdk';
import { evaluate, openStore } from './metrics-event.js';

const [databaseUrl, systemDatabaseUrl, port] = process.argv.slice(2);
const insert = await openStore(databaseUrl);

async function recorded(event) {
  const decided = await DBOS.runStep(async () => evaluate(event), { name: 'evaluate' });
  await DBOS.runStep(() => insert(decided), { name: 'insert' });
}
const workflow = DBOS.registerWorkflow(recorded, { name: 'recorded' });

DBOS.setConfig({ name: 'bench', systemDatabaseUrl, logLevel: 'error' });
await DBOS.launch();

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    try {
      const event = JSON.parse(Buffer.concat(chunks).toString());
      await DBOS.startWorkflow(workflow, { workflowID: event.id })(event);
      response.writeHead(202).end();
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
});
server.listen(Number(port), '127.0.0.1', () => console.log('ready'));
