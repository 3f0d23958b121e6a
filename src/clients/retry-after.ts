const MAX_RETRY_AFTER_MS = 86_400_000;

/**
 * Milliseconds, at most a day; null without a usable `Retry-After`. It holds seconds, or a date: then it is as long as from
 * the answer's own date, for two clocks seldom agree.
 */
export function retryAfter(headers: Headers): number | null {
  const value = headers.get('retry-after')?.trim() ?? '';
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, MAX_RETRY_AFTER_MS);
  const at = dateOf(value);
  if (at === null) return null;
  const now = dateOf(headers.get('date') ?? '') ?? Date.now();
  return Math.min(Math.max(at - now, 0), MAX_RETRY_AFTER_MS);
}

/** Date.parse takes much that is no date, `1.5` for one; each HTTP-date begins with a weekday. */
function dateOf(text: string): number | null {
  const time = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}
