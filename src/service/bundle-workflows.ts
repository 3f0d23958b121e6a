/**
 * A program: the bundle of the workflows' code, sealed, on stdout. The bundler wants more memory than the service, so it has a
 * process of its own; the image's build runs it ahead of time, into `workflow-bundle.js`.
 */
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { sealBundle } from './sealed-bundle.ts';

const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));
const logger = new DefaultLogger('WARN', ({ level, message }) => console.error(`${level} ${message}`));
const { code } = await bundleWorkflowCode({ workflowsPath, logger });
process.stdout.write(sealBundle(code));
