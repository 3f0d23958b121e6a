/** What a failing statement means: the one table of SQLSTATEs that are retried, and of those that one row is to blame for. */

const TRANSIENT = new Set(['40001', '40P01', '57P01', '57P02', '57P03', '57014', '53300', '55P03', '25006']);
const TRANSIENT_SYSTEM = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);
const TRANSIENT_MESSAGES = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'Client has encountered a connection error',
];

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** The server is away, restarting, or another transaction was in the way: the same again later. */
export function isTransient(error: unknown): boolean {
  const code = codeOf(error);
  if (TRANSIENT.has(code) || TRANSIENT_SYSTEM.has(code) || /^(08|53)\w{3}$/.test(code)) return true;
  return error instanceof Error && TRANSIENT_MESSAGES.some((message) => error.message.includes(message));
}

/** Class 22 (data), 23 (constraint) or 54 (limit): one row of the statement cannot be stored. */
export function isPoisonousRow(error: unknown): boolean {
  return /^(22|23|54)\w{3}$/.test(codeOf(error));
}
