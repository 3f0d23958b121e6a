/** A bundle of the workflows that says what it was made of, so that one of other source is not run. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import packageJson from '../../package.json' with { type: 'json' };

const SOURCE = new URL('../workflows/', import.meta.url);
const SEAL = '// The bundle of the workflows, sealed ';

/** The code below a line with the digest of itself, of the source on disk, and of Temporal's versions. */
export function sealBundle(code: string): string {
  return `${SEAL}${digestOf(code)}\n${code}`;
}

/** Whether it was made of this source, and is whole. */
export function isSealIntact(sealed: string): boolean {
  const end = sealed.indexOf('\n');
  return sealed.slice(0, end) === `${SEAL}${digestOf(sealed.slice(end + 1))}`;
}

function digestOf(code: string): string {
  const digest = createHash('sha256');
  for (const name of readdirSync(SOURCE).sort()) {
    digest
      .update(`${name}\0`)
      .update(readFileSync(new URL(name, SOURCE)))
      .update('\0');
  }
  const versions = Object.entries(packageJson.dependencies).filter(([name]) =>
    name.startsWith('@temporalio/'),
  );
  return digest.update(JSON.stringify(versions)).update(code).digest('hex');
}
