/** What is committed holds no key that works anywhere. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** In two parts, so that this file is not found itself. */
const SIGNS = [
  ['-----BEGIN [A-Z ]*', 'PRIVATE KEY-----'],
  ['-----BEGIN ', '(?:NATS|USER)[A-Z ]*(?:JWT|SEED)-----'],
  ['AKIA', '[0-9A-Z]{16}'],
  ['gh[pousr]_', '[A-Za-z0-9]{36}'],
  ['xox[abprs]-', '[A-Za-z0-9-]{10}'],
  ['eyJ[A-Za-z0-9_-]{10,}\\.', 'eyJ[A-Za-z0-9_-]{10,}\\.[A-Za-z0-9_-]{10,}'],
  ['npm_', '[A-Za-z0-9]{36}'],
].map((parts) => new RegExp(parts.join('')));

const isCheckout = existsSync('.git');
const files = isCheckout
  ? execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' })
      .split('\0')
      .filter((file) => file !== '' && existsSync(file))
  : [];

test.runIf(isCheckout)('no committed file holds a private key or a token of a known kind', () => {
  expect(files.length).toBeGreaterThan(500);
  const found = files.filter((file) => {
    const text = readFileSync(file, 'latin1');
    return SIGNS.some((sign) => sign.test(text));
  });
  expect(found).toEqual([]);
});

test.runIf(isCheckout)('no file that usually holds secrets is committed', () => {
  expect(files.filter((file) => /(^|\/)(\.env(\..*)?|.*\.(pem|key|p12|creds|nk))$/.test(file))).toEqual([]);
});
