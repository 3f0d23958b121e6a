import { type DestinationStream, type Logger, pino, stdTimeFunctions } from 'pino';

export type { Logger };

/** JSON lines, on standard error: standard output belongs to the commands. Secrets are cut wherever they turn up. */
export function createLogger(
  level: string,
  destination: DestinationStream = pino.destination({ fd: 2, sync: false }),
): Logger {
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
      serializers: { err: describeError },
    },
    destination,
  );
}

interface ErrorFacts {
  type: string;
  message: string;
  stack: string | undefined;
  cause?: ErrorFacts;
  [fact: string]: unknown;
}

const FACTS = ['code', 'table', 'column', 'constraint', 'syscall', 'address', 'port'] as const;

/** Only what is known to name no data: PostgreSQL's `detail` and `where` quote the row that failed. */
function describeError(error: unknown): ErrorFacts | unknown {
  if (!(error instanceof Error)) return error;
  const facts: ErrorFacts = { type: error.name, message: error.message, stack: error.stack };
  for (const fact of FACTS) if (fact in error) facts[fact] = Reflect.get(error, fact);
  if (error.cause instanceof Error) facts.cause = describeError(error.cause) as ErrorFacts;
  return facts;
}
