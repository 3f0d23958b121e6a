/** What a reviewer's verdict is about: a definition as it is, whether it emits or only audits (contract 3, `emit`). */
import type { Definition } from './definition.ts';
import { contentSha256 } from './document.ts';

/** SHA-256, in hex, of the canonical JSON of the definition without `emit`. */
export function reviewedContentHash({ emit: _emit, ...content }: Definition): string {
  return contentSha256(content);
}
