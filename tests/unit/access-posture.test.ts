import { expect, test } from 'vitest';
import { read } from './markdown.ts';

/** The first two paragraphs below the heading: the decision, and what follows from it. As words. */
function postureOf(file: string): string {
  const [, below = ''] = read(file).split('\n## Access posture\n\n');
  return below.split('\n\n').slice(0, 2).join(' ').replaceAll(/\s+/g, ' ').trim();
}

test('the runbook and the overlay of Railiance state the access posture word for word alike', () => {
  const statement = postureOf('docs/runbook.md');
  expect(statement).toMatch(
    /^The admin API is ClusterIP-only until a separate decision on authenticated ingress\./,
  );
  expect(postureOf('k8s/railiance/README.md')).toBe(statement);
});
