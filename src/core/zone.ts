/** The offset of a time zone's wall clock from UTC, from the ICU data that Node brings along. */
const DAY = 86_400_000;
const SECOND = 1000;

export interface Zone {
  /** What to add to `at` (ms since 1970) to read the wall clock as if it were UTC. */
  offsetAt(at: number): number;
}

/** The offset changes at most once in a UTC day: from `before` to `since`, at `change`. */
interface Day {
  before: number;
  change: number;
  since: number;
}

/** A zone asks ICU once for each UTC day that it is asked about, and remembers the answers. */
export function createZone(timezone: string): Zone {
  const format = new Intl.DateTimeFormat('en', {
    timeZone: timezone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const days = new Map<number, Day>();
  let lastNumber = 0;
  let lastDay = readDay(0);

  function offsetAt(at: number): number {
    const number = Math.floor(at / DAY);
    if (number !== lastNumber) {
      lastDay = days.get(number) ?? readDay(number * DAY);
      lastNumber = number;
      days.set(number, lastDay);
    }
    return at < lastDay.change ? lastDay.before : lastDay.since;
  }

  function readDay(start: number): Day {
    const before = readOffset(start);
    const since = readOffset(start + DAY);
    let [low, high] = [start, start + DAY];
    while (before !== since && high - low > SECOND) {
      const middle = low + Math.floor((high - low) / 2 / SECOND) * SECOND;
      if (readOffset(middle) === before) low = middle;
      else high = middle;
    }
    return { before, change: high, since };
  }

  function readOffset(at: number): number {
    const parts = format.formatToParts(at);
    const part = (type: Intl.DateTimeFormatPartTypes) =>
      Number(parts.find((candidate) => candidate.type === type)?.value);
    const wall = Date.UTC(
      part('year'),
      part('month') - 1,
      part('day'),
      part('hour'),
      part('minute'),
      part('second'),
    );
    return wall - Math.floor(at / SECOND) * SECOND;
  }

  return { offsetAt };
}
