/** One seed, from starting servers of its own to the verdict. */
import { readClock } from '../../src/store/pool.ts';
import { type Check, verdictLines } from '../setup/checks.ts';
import { attack } from './attack.ts';
import { drain } from './drain.ts';
import { judgeFootprint, judgeProcesses } from './footprint.ts';
import { createLedger, type LedgerEntry, lineOf } from './ledger.ts';
import { planOf, REPLICAS } from './plan.ts';
import { childrenOf } from './processes.ts';
import { publishAll } from './publisher.ts';
import { openSubjects, type Subjects } from './subjects.ts';
import { judge } from './verdict.ts';

export interface SeedOptions {
  seed: number;
  /** As `planOf` takes it. */
  seconds: number;
  tell?: (entry: LedgerEntry) => void;
}

export interface SeedResult {
  seed: number;
  seconds: number;
  passed: boolean;
  /** Processes that were killed. */
  kills: number;
  acts: number;
  /** Different events, and messages in all. */
  events: number;
  messages: number;
  tasks: number;
  ledger: LedgerEntry[];
  checks: Check[];
  /** What the replicas wrote; empty where the seed passed. */
  logs: Record<string, string>;
}

export async function runSeed({ seed, seconds, tell }: SeedOptions): Promise<SeedResult> {
  const plan = planOf(seed, seconds);
  const childrenBefore = new Set(childrenOf(process.pid));
  const subjects = await openSubjects();
  const ledger = createLedger(tell);
  const checks: Check[] = [];
  let tasks = 0;
  try {
    const ready = await readClock(subjects.pool);
    const resident = subjects.resident();
    ledger.write('publish', 'nats', `${plan.messages.length} messages`);
    // Both to their end, also where one fails: what is attacked is not taken down under the attack.
    const publishing = publishAll(subjects.nats, plan.messages);
    const [, attacked] = await Promise.allSettled([publishing, attack(plan, subjects, ledger)]);
    if (attacked.status === 'rejected') throw attacked.reason;
    const sent = await publishing;
    ledger.write('all is healed', 'all');
    const drained = await drain(subjects, ledger);
    ledger.write(drained.left.length === 0 ? 'all is at rest' : 'NOT AT REST', 'all');
    const requests = subjects.issueCore.requests();
    const struck = requests.filter(({ fault }) => fault !== null).length;
    ledger.write('was asked', 'issue-core', `${requests.length} requests, ${struck} went wrong`);
    tasks = subjects.issueCore.tasks().length;
    checks.push(...(await judge({ subjects, sent, ready, drained })));
    checks.push(...(await judgeFootprint(subjects, resident)));
  } catch (fault) {
    checks.push({ what: 'the suite came to its end', faults: [describe(fault)] });
  } finally {
    await subjects[Symbol.asyncDispose]();
  }
  checks.push(judgeProcesses(subjects.stateDir, childrenBefore));
  const passed = checks.every(({ faults }) => faults.length === 0);
  return {
    seed,
    seconds,
    passed,
    kills: plan.acts.reduce((sum, act) => sum + (act.kind === 'kill' ? act.processes.length : 0), 0),
    acts: plan.acts.length,
    events: plan.messages.filter(({ kind }) => kind === 'event').length,
    messages: plan.messages.length,
    tasks,
    ledger: ledger.entries,
    checks,
    logs: passed ? {} : logsOf(subjects),
  };
}

const describe = (fault: unknown): string =>
  fault instanceof Error ? (fault.stack ?? fault.message) : String(fault);

const logsOf = (subjects: Subjects): Record<string, string> =>
  Object.fromEntries(REPLICAS.map((name) => [name, subjects.logOf(name)]));

/** What was done and what came of it, for people. */
export function reportOf({ seed, seconds, ledger, checks }: SeedResult): string {
  return [
    `seed ${seed}, ${seconds} s: npm run chaos -- --seed ${seed} --seconds ${seconds}`,
    ...ledger.map(lineOf),
    ...verdictLines(checks),
  ].join('\n');
}
