/**
 * The operator's page: a few files from `src/api/page`, open to everybody because they hold no data. What they show they ask
 * the API for, with the token that the operator gives them.
 */
import { readFile } from 'node:fs/promises';
import type { FastifyInstance, FastifyReply } from 'fastify';

const FOLDER = new URL('./page/', import.meta.url);

/** Every file that is served: what is not named here is not there. */
export const PAGE_FILES: Readonly<Record<string, { file: string; type: string }>> = {
  '/': { file: 'index.html', type: 'text/html; charset=utf-8' },
  '/page/icon.svg': { file: 'icon.svg', type: 'image/svg+xml' },
  ...all('css', 'text/css', ['base', 'page', 'rows']),
  ...all('js', 'text/javascript', [
    'ask',
    'concerns',
    'details',
    'element',
    'explain',
    'keys',
    'overview',
    'page',
    'rows',
    'schedules',
    'token',
    'trust',
    'words',
  ]),
};

/**
 * Stricter than what the API answers with: its own origin for scripts, styles, the icon and requests, nothing inline, no
 * frame, no form that goes anywhere, and no text that becomes markup or code.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

export async function operatorPage(app: FastifyInstance): Promise<void> {
  for (const [url, { file, type }] of Object.entries(PAGE_FILES)) {
    const content = await readFile(new URL(file, FOLDER), 'utf8');
    app.get(url, { schema: { hide: true } }, async (_request, reply: FastifyReply) =>
      reply
        .header('content-security-policy', POLICY)
        .header('x-frame-options', 'DENY')
        .type(type)
        .send(content),
    );
  }
}

function all(extension: string, type: string, names: string[]) {
  return Object.fromEntries(
    names.map((name) => {
      const file = `${name}.${extension}`;
      return [`/page/${file}`, { file, type: `${type}; charset=utf-8` }];
    }),
  );
}
