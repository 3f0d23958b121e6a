/** Text of another service that is kept: without our token, storable, and not long. */
import { cutToBytes } from '../core/shrink.ts';
import { storableText } from '../core/storable.ts';

const MAX_KEPT_BYTES = 4096;
const REDACTED = '[redacted]';
/** Shorter ones stand in other text by chance. */
const SHORTEST_BASE64 = 4;
const HTML_NAMES: Record<string, string> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' };

/** Replaces the token, however it is spelled: plain, escaped for JSON, HTML or a URL (also mixed), base64 (also inside other text). */
export function createRedaction(token: string | undefined): (text: string) => string {
  if (!token) return (text) => text;
  const forms = [spelled(token), ...base64Forms(token).map(spelledBase64)];
  const pattern = new RegExp(forms.join('|'), 'giu');
  return (text) => text.replace(pattern, REDACTED);
}

/** At most 4 KiB of UTF-8; what is cut ends in `… [truncated]`. */
export const keptText = (text: string): string => cutToBytes(storableText(text), MAX_KEPT_BYTES);

const spelled = (text: string): string => [...text].map(spelledCharacter).join('');

function spelledCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  const percent = [...Buffer.from(character)].map((byte) => `%(?:25)*${byte.toString(16).padStart(2, '0')}`);
  const forms = [
    `\\\\{0,3}\\u{${hex}}`,
    `\\\\{1,3}u${hex.padStart(4, '0')}`,
    percent.join(''),
    `&#(?:x0*${hex}|0*${code});`,
    ...(HTML_NAMES[character] ? [`&${HTML_NAMES[character]};`] : []),
  ];
  return `(?:${forms.join('|')})`;
}

/** Those that the token has at any place of a longer text: three, for base64 packs three bytes in four characters. */
function base64Forms(token: string): string[] {
  const bytes = Buffer.from(token);
  const alone = bytes.toString('base64').replaceAll('=', '');
  const inside = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const [first, end] = [Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6)];
    return text.slice(first, end);
  });
  return [alone, ...inside].filter((form) => form.length >= SHORTEST_BASE64);
}

/** `-` and `_` stand for `+` and `/` in URLs. */
function spelledBase64(form: string): string {
  const other: Record<string, string> = { '+': '-', '/': '_' };
  return [...form].map((c) => (other[c] ? `(?:${spelled(c)}|${other[c]})` : spelled(c))).join('');
}
