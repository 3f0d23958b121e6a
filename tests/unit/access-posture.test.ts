import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** The first paragraph below the heading, as words. */
function accessOf(file: string): string {
  const [, below = ''] = readFileSync(file, 'utf8').split('\n## Access\n\n');
  return (below.split('\n\n')[0] ?? '').replaceAll(/\s+/g, ' ').trim();
}

test('the runbook and the overlay of Railiance state the access posture word for word alike', () => {
  const statement = accessOf('docs/runbook.md');
  expect(statement).toMatch(
    /^The HTTP API is ClusterIP-only until a separate decision on authenticated ingress/,
  );
  expect(accessOf('k8s/railiance/README.md')).toBe(statement);
});
