import { type Logger, pino, stdTimeFunctions } from 'pino';

export type { Logger };

/** JSON lines on standard error: standard output belongs to the commands. Secrets are cut wherever they turn up. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      redact: {
        paths: [
          'authorization',
          '*.authorization',
          '*.*.authorization',
          'token',
          '*.token',
          'password',
          '*.password',
          'database_url',
        ],
        censor: '[redacted]',
      },
    },
    pino.destination({ fd: 2, sync: false }),
  );
}
