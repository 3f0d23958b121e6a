/** (k) How fast specs leave for an issue-core that answers in 20 ms, beside what the sink's allowed concurrency permits. */
import { CONCURRENCY } from '../../src/activities/send-round.ts';
import { MAX_EMISSIONS } from '../../src/worker.ts';
import { reviewCurrent } from '../setup/live-path.ts';
import { until } from '../setup/until.ts';
import { type Bench, inRounds } from './bench.ts';
import { perSecond } from './events.ts';
import { medianRow, type Row } from './report.ts';
import { type IssueCoreFigures, startSlowIssueCore } from './slow-issue-core.ts';
import { boundOf, DEFINITION, openSubject, publishAll } from './subject.ts';

const ANSWER_MS = 20;
/** Is there an open task with the key, then the post. */
const REQUESTS_A_SPEC = 2;

export async function measureLiveMode(bench: Bench): Promise<Row[]> {
  const rounds = await inRounds(bench, () => sendSpecs(bench));
  const inHand = CONCURRENCY * MAX_EMISSIONS;
  const what = `live mode, specs created in an issue-core that answers in ${ANSWER_MS} ms`;
  return [
    medianRow(
      'live.specs',
      what,
      'specs/s',
      rounds.map(({ tasks, milliseconds }) => perSecond(tasks, milliseconds)),
    ),
    {
      id: 'live.ceiling',
      what: `  the ceiling: ${inHand} requests at a time, ${REQUESTS_A_SPEC} a spec`,
      value: perSecond(inHand, ANSWER_MS * REQUESTS_A_SPEC),
      unit: 'specs/s',
    },
    {
      id: 'live.one_by_one',
      what: '  one after another',
      value: perSecond(1, ANSWER_MS * REQUESTS_A_SPEC),
      unit: 'specs/s',
    },
    medianRow(
      'live.mean_in_hand',
      '  requests in hand at issue-core, mean',
      'requests',
      rounds.map(({ meanInHand }) => meanInHand),
    ),
    medianRow(
      'live.most_in_hand',
      '  requests in hand at issue-core, most',
      'requests',
      rounds.map(({ mostInHand }) => mostInHand),
    ),
  ];
}

async function sendSpecs({ servers, options }: Bench): Promise<IssueCoreFigures> {
  await using issueCore = await startSlowIssueCore(ANSWER_MS);
  await using subject = await openSubject(servers, {
    rewrite: liveWithKeysOfTheirOwn,
    environment: {
      ISSUE_SINK_TYPE: 'issue-core',
      ISSUE_CORE_URL: issueCore.url,
      ISSUE_CORE_TOKEN: 'bench',
    },
  });
  await reviewCurrent(subject.pool, DEFINITION);
  const service = await subject.start();
  await publishAll(subject, { events: options.liveEvents, specsOfTen: 10 });
  const isCreated = async () => {
    const { rows } = await subject.pool.query(
      "SELECT count(*) AS n FROM task_spawn_log WHERE status = 'created'",
    );
    return rows[0].n === options.liveEvents;
  };
  await until('every spec is created', isCreated, {
    boundMs: boundOf(options.liveEvents),
    context: () => service.log(),
  });
  const figures = issueCore.figures();
  const wanted = options.liveEvents * REQUESTS_A_SPEC;
  if (figures.tasks !== options.liveEvents || figures.requests !== wanted)
    throw new Error(`${figures.requests} requests made ${figures.tasks} tasks; ${wanted} were to be sent`);
  return figures;
}

/** Specs of one key go one after the other, so each has its own. */
function liveWithKeysOfTheirOwn(text: string): string {
  return text
    .replace('\nemit: audit\n', '\nemit: live\n')
    .replace(/dedupe_key: .*/, 'dedupe_key: "bench:{{ event.id }}"');
}
