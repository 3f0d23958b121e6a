/** Why a note could not be written or read, and what to do. */
import { ReportError } from './report-sink.ts';

/** As in `ENOENT`. What is no error of the file system is thrown on. */
export function errorCode(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  throw error;
}

/** Those that no retry mends. */
const ADVICE: Record<string, string> = {
  EACCES: 'let this process write there, or set another folder',
  EPERM: 'let this process write there, or set another folder',
  EROFS: 'mount it so that it can be written, or set another folder',
  ENOTDIR: 'set it to a folder',
  EISDIR: 'set it to a folder of notes',
  // What Node says where a folder is to be made and something else is there.
  EEXIST: 'set it to a folder',
  ELOOP: 'it is a link that leads back to itself; set it to a folder',
};

export function reportErrorOf(error: unknown, dir: string): ReportError {
  if (error instanceof ReportError) return error;
  const code = errorCode(error);
  const advice = Object.hasOwn(ADVICE, code) ? ADVICE[code] : undefined;
  const message = `working-memory: WORKING_MEMORY_DIR (${dir}) cannot be used (${code}); ${advice ?? 'it is tried again'}`;
  return new ReportError(message, { cause: error, retryable: advice === undefined });
}
