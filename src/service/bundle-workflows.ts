/** A program: the bundle of the workflows' code on stdout. The bundler wants more memory than the service, so it has a process of its own. */
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));
const logger = new DefaultLogger('WARN', ({ level, message }) => console.error(`${level} ${message}`));
const { code } = await bundleWorkflowCode({ workflowsPath, logger });
process.stdout.write(code);
