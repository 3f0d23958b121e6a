/** How the command ends. */
import { expect, test } from 'vitest';
import { tellFailure } from '../../src/cli/failure.ts';
import { captureCli, capturedTerminal } from '../setup/captured-cli.ts';
import { eventOf, ID, NOW, review, rule } from './backtest-record.ts';
import { definitionFolder } from './definition-folder.ts';
import { startHttpServer } from './http-server.ts';

const SHIPPED = 'low-success-rate-review';

async function run(events: object[], ...options: string[]) {
  return backtest({ events }, ...options);
}

async function backtest(
  { events = [], document = review() }: { events?: object[]; document?: object },
  ...options: string[]
) {
  const onRecord = { definition_id: ID, now: NOW, forgotten_before: null };
  const applied = { definition_hash: 'applied', document: { ...review(), enabled: true, limits: {} } };
  await using api = await startHttpServer(({ url }, response) => {
    const answer = url.includes('/events?')
      ? { items: events, next_cursor: null }
      : { ...onRecord, current: applied, event_type: null };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  await using folder = await definitionFolder({ [`${ID}.yaml`]: JSON.stringify(document) });
  const argv = ['backtest', folder.in(`${ID}.yaml`), '--since', '2026-11-20T00:00:00Z', ...options];
  return await captureCli(argv, { apiAddress: api.url, now: new Date(NOW) });
}

test('the verdict stands before everything else', async () => {
  const { out } = await run([eventOf('held')]);
  expect(out.split('\n')[1]).toBe(
    'Nothing could be compared: all of it was passed over. Nothing was written or sent.',
  );
});

test.each([
  [
    SHIPPED,
    `error: backtest takes a file, and ${SHIPPED} is an id: activity-core backtest definitions/${SHIPPED}.yaml`,
  ],
  [
    'nobody',
    'error: backtest takes the file of a definition, which need not be applied, and there is none at nobody or definitions/nobody.yaml',
  ],
])('%s, which is no file, is bad use that is told the file', async (given, err) => {
  expect(await captureCli(['backtest', given])).toEqual({ exitCode: 2, out: '', err });
});

test('with --fail-on-change, what was all passed over ends with 1 and is not called the same', async () => {
  const ended = await run([eventOf('held')], '--fail-on-change');
  expect(ended).toMatchObject({ exitCode: 1, err: '' });
  expect(ended.out).toContain('Nothing could be compared: all of it was passed over.');
  expect(await run([eventOf('held')])).toMatchObject({ exitCode: 0 });
  expect(await run([eventOf('held')], '--fail-on-change', '--json')).toMatchObject({ exitCode: 1 });
});

test('the warnings of the file are told, and --json stays one document', async () => {
  const document = review({ rules: [rule('many', 'context.metrics.summary.runs > 3')] });
  const { exitCode, out, err } = await backtest({ document }, '--json');
  expect(exitCode).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ definition_id: ID });
  expect(err).toMatch(/review\.yaml:1:\d+ rules\[0\]\.condition: warning: .* \(optional_field\)$/);
});

test('a copy under another name is refused with where to put it, as the help says', async () => {
  const { exitCode, err } = await backtest({ document: review({ id: 'original' }) });
  expect(exitCode).toBe(1);
  expect(err).toContain('A changed copy keeps its name, which is its id, and stands in another folder');
  const help = await captureCli(['backtest', '--help']);
  expect(help.out).toContain('A changed copy keeps its name');
});

test('with --fail-on-change, an empty record ends with 0', async () => {
  const ended = await run([], '--fail-on-change');
  expect(ended).toMatchObject({ exitCode: 0 });
  expect(ended.out).toContain('There was nothing to compare.');
});

test('a fault of the program that Node gives a code is not told as a server’s', () => {
  const { terminal, err } = capturedTerminal();
  const fault = Object.assign(new SyntaxError('unexpected'), { code: 'ERR_INVALID_TYPESCRIPT_SYNTAX' });
  expect(tellFailure(fault, terminal)).toBe(1);
  expect(err.join()).not.toContain('server');
  expect(tellFailure(Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), terminal)).toBe(2);
});
