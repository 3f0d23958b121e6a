/**
 * What a failing statement means. Whatever may be different a moment later is transient: a server that is away, restarts,
 * is being restored or had its password changed delays, and fails nothing for good.
 */

/** Statements that this version can never run: a fault of ours, not of the moment. */
const OURS = new Set(['42601', '42703', '42804', '42883', '42P02', '42P18']);
/** Of Node's own `ERR_…`, those of a connection; the others, as ERR_INVALID_ARG_TYPE, are faults of the code. */
const OF_SYSTEM = /^(?!ERR_)E[A-Z0-9_]+$|^ERR_(SOCKET|STREAM|TLS|SSL)_/;
const MESSAGES = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'connection error',
  'Query read timeout',
  'Cannot use a pool after',
];

/** Class 22 (data), 23 (constraint) or 54 (limit): one row of the statement cannot be stored. */
export function isPoisonousRow(error: unknown): boolean {
  return /^(22|23|54)\w{3}$/.test(sqlStateOf(error));
}

export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const state = sqlStateOf(error);
  if (state) return !isPoisonousRow(error) && !OURS.has(state);
  // The system's errors have codes like ECONNREFUSED; the driver's own have nothing but their text.
  const isOfSystem = 'code' in error && typeof error.code === 'string' && OF_SYSTEM.test(error.code);
  return isOfSystem || MESSAGES.some((message) => error.message.includes(message));
}

/** Five characters; the system's codes (ECONNRESET) are longer. */
function sqlStateOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  return /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code) ? code : '';
}
