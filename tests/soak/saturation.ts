/** What the service can do here, as row (d) of the bench has it: published and drained at once, again and again. */
import type { Servers } from '../../src/dev/servers.ts';
import { perSecond } from '../bench/events.ts';
import { publishAndSettle, WARM_UP } from '../bench/saturation.ts';
import { openSubject } from '../bench/subject.ts';

const LASTS_MS = 30_000;
const ROUND = { events: 20_000, specsOfTen: 8 };

/** Events a second, over half a minute, with a service and a database of its own. */
export async function measureSaturation(servers: Servers): Promise<number> {
  await using subject = await openSubject(servers);
  await subject.start();
  await publishAndSettle(subject, WARM_UP);
  let [events, took] = [0, 0];
  while (took < LASTS_MS) {
    took += await publishAndSettle(subject, ROUND);
    events += ROUND.events;
  }
  return perSecond(events, took);
}
