/** SIGINT and SIGTERM ask to stop, once; a second one ends the process at once. */
export interface StopSignal {
  signal: AbortSignal;
  /** Resolves with nothing when a stop is asked for. */
  requested: Promise<void>;
  release(): void;
}

export function onStopSignal(): StopSignal {
  const stopping = new AbortController();
  const requested = Promise.withResolvers<void>();
  const ask = () => {
    if (stopping.signal.aborted) process.kill(process.pid, 'SIGKILL');
    stopping.abort();
    requested.resolve();
  };
  process.on('SIGINT', ask);
  process.on('SIGTERM', ask);
  return {
    signal: stopping.signal,
    requested: requested.promise,
    release() {
      process.off('SIGINT', ask);
      process.off('SIGTERM', ask);
    },
  };
}
