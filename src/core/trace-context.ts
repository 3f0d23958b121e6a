/** W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace an event belongs to. It is passed on and decides nothing. */

const FIELDS = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const KNOWN_VERSION = '00';
const NO_VERSION = 'ff';
const SAMPLED = 1;

/**
 * A `traceparent` as it is passed on; null where it is none, which is ignored and no fault of the event. Of a version to
 * come, what version 00 knows is taken, as the specification asks.
 */
export function parseTraceparent(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  const [, version, traceId = '', parentId = '', flags = '', more] = FIELDS.exec(value) ?? [];
  if (version === undefined || version === NO_VERSION || isZero(traceId) || isZero(parentId)) return null;
  if (version === KNOWN_VERSION) return more === undefined ? value : null;
  const known = (Number.parseInt(flags, 16) & SAMPLED).toString(16).padStart(2, '0');
  return `${KNOWN_VERSION}-${traceId}-${parentId}-${known}`;
}

/** Of a message's headers, whose names may be written in any case. More than one is none. */
export function traceparentOf(headers: Readonly<Record<string, readonly string[]>>): string | null {
  const values = Object.keys(headers)
    .filter((name) => name.toLowerCase() === 'traceparent')
    .flatMap((name) => headers[name] ?? []);
  return values.length === 1 ? parseTraceparent(values[0]) : null;
}

const isZero = (id: string): boolean => /^0+$/.test(id);
