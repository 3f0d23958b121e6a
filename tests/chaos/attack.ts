/** Plays a plan: each act at its time, acts on one subject one after the other in the order of the plan. */
import { setTimeout as pause } from 'node:timers/promises';
import { misbehave, perform, subjectsOf } from './acts.ts';
import type { Ledger } from './ledger.ts';
import type { Plan, Subject } from './plan.ts';
import type { Subjects } from './subjects.ts';

/** Resolves when every act is undone. */
export async function attack({ acts, issue_core }: Plan, subjects: Subjects, ledger: Ledger): Promise<void> {
  misbehave(subjects, issue_core);
  ledger.write(
    'issue_core_fails',
    'issue-core',
    `all the while: ${issue_core.faults.join(', ')} at ${issue_core.rate}`,
  );
  const start = performance.now();
  const busy = new Map<Subject, Promise<unknown>>();
  const all: Promise<void>[] = [];
  for (const act of acts.toSorted((a, b) => a.at_ms - b.at_ms)) {
    await pause(Math.max(0, act.at_ms - (performance.now() - start)));
    const targets = subjectsOf(act);
    const free = Promise.allSettled(targets.map((target) => busy.get(target)));
    const done = free.then(async () => {
      ledger.write(act.kind, targets.join(' + '));
      ledger.write(`${act.kind} over`, targets.join(' + '), await perform(act, subjects, issue_core));
    });
    for (const target of targets) busy.set(target, done);
    all.push(done);
  }
  const faults = (await Promise.allSettled(all)).flatMap((one) =>
    one.status === 'rejected' ? [one.reason] : [],
  );
  subjects.issueCore.setFaults({ faults: [] });
  if (faults.length > 0) throw new AggregateError(faults, faults.map(String).join('; '));
}
