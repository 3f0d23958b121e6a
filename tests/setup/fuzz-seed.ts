/**
 * Fuzzing finds what nobody thought of, and must not do so while somebody else's change is tested: the same cases each time.
 * `FUZZ_SEED=random`, or a number, tries others.
 */
import fc from 'fast-check';

export function useFuzzSeed({ FUZZ_SEED = '20261121' } = process.env): void {
  if (FUZZ_SEED !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(FUZZ_SEED) });
}
