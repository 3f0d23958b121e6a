import { isUuid } from './inputs.ts';
import { Problem } from './problem.ts';

/** As it is stored. @throws Problem: an id that cannot exist is not found */
export function runIdOf(text: string): string {
  if (!isUuid(text))
    throw new Problem(
      'not_found',
      `no run has the id ${text}; expected a whole one, as \`runs list\` prints it`,
    );
  return text.toLowerCase();
}

export function runNotFound(id: string): Problem {
  return new Problem('not_found', `no run has the id ${id}`);
}
