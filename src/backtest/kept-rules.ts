/** Rules whose specs a retry may have kept: it does not render anew what an earlier run of its chain had sent (contract 5). */
import { canonicalJson } from '../core/json.ts';
import type { LoadedDefinition } from '../definitions/check.ts';
import type { Recorded } from './recorded-outcome.ts';
import type { Revisions } from './replay.ts';

export type KeptRules = (recorded: Recorded) => Promise<ReadonlySet<string>>;

export const NO_RULES: ReadonlySet<string> = new Set();

/**
 * Those that the file has as the revision of the recorded run had them. That revision would have made the same of them as the
 * file does, so where a moved spec says something else, it was kept.
 */
export function createKeptRules({ definition, compiled }: LoadedDefinition, revision: Revisions): KeptRules {
  return async ({ run }) => {
    if (!run?.tasks.some(({ moved }) => moved)) return NO_RULES;
    const then = await revision(run.definition_hash);
    if (!then || !isSame(then.context_sources, definition.context_sources)) return NO_RULES;
    const inBoth = <One extends { id: string }>(before: One[], after: One[]): string[] =>
      after.filter((one) => before.some((other) => isSame(one, other))).map(({ id }) => id);
    const instructions = inBoth(then.instructions, definition.instructions);
    return new Set([
      ...inBoth(then.rules, definition.rules),
      ...compiled.instructions
        .filter(({ id }) => instructions.includes(id))
        .flatMap(({ tasks }) => tasks.map(({ rule_id }) => rule_id)),
    ]);
  };
}

const isSame = (one: unknown, other: unknown): boolean => canonicalJson(one) === canonicalJson(other);
