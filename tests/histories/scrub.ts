/**
 * Records a history for the replay test, without what names a machine. Run it when a workflow gets a new path, never to
 * make a failing replay pass:
 *   temporal workflow show --workflow-id ID --output json | node tests/histories/scrub.ts > tests/histories/NAME.json
 */
import { text } from 'node:stream/consumers';

const MACHINE = new Set(['identity', 'stackTrace', 'requestId', 'taskToken']);
const history = JSON.parse(await text(process.stdin), (key, value) => (MACHINE.has(key) ? '' : value));
console.log(JSON.stringify(history, null, 1));
