/** Definitions that are broken in one place, and what is said of them. */
import { formatError } from '../../src/definitions/errors.ts';
import { loadDefinitions } from '../../src/definitions/load.ts';
import { createResolvers } from '../../src/resolvers/registry.ts';
import { definitionFolder, HOURLY, REVIEW } from '../unit/definition-folder.ts';

const resolvers = createResolvers();

/** The errors of one folder, as people read them, with the folder's own path taken off. */
export async function errorsOf(
  files: Record<string, string | Uint8Array>,
  eventTypes?: Record<string, string>,
): Promise<string[]> {
  await using folder = await definitionFolder(files, eventTypes);
  const result = await loadDefinitions(folder.path, resolvers);
  return result.ok ? [] : result.errors.map((error) => formatError(error).replace(`${folder.path}/`, ''));
}

/** `from` stands in the text exactly once. */
export function edit(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`${from} does not stand exactly once`);
  return text.replace(from, () => to);
}

export const review = (from: string, to: string) => ({ 'review.yaml': edit(REVIEW, from, to) });
export const hourly = (from: string, to: string) => ({ 'hourly.yaml': edit(HOURLY, from, to) });
