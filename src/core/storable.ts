/**
 * What JSON.parse lets through and PostgreSQL's jsonb refuses: U+0000 (22P05), lone surrogates (22P02),
 * numbers beyond a double, and nesting that overflows a stack (54001). Both walks are iterative for that reason.
 */

interface Place {
  value: unknown;
  depth: number;
  parent: Place | null;
  key: string | number;
}

/** Objects and arrays inside each other; a bare scalar has depth 0. Stops counting past 1000. */
export function nestingDepth(root: unknown): number {
  let deepest = 0;
  const open: [value: unknown, depth: number][] = [[root, 1]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [value, depth] = next;
    if (value === null || typeof value !== 'object') continue;
    if (depth > deepest) deepest = depth;
    if (depth > 1000) return depth;
    for (const member of Object.values(value)) open.push([member, depth + 1]);
  }
  return deepest;
}

/** The first thing that cannot be stored, with its JSON Pointer. */
export function findUnstorable(root: unknown): { pointer: string; message: string } | null {
  const open: Place[] = [{ value: root, depth: 0, parent: null, key: '' }];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    const { value } = place;
    if (typeof value === 'string') {
      const fault = textFault(value);
      if (fault) return { pointer: pointerTo(place), message: fault };
    } else if (typeof value === 'number') {
      if (!Number.isFinite(value))
        return { pointer: pointerTo(place), message: 'is a number beyond the range of a double' };
    } else if (value !== null && typeof value === 'object') {
      for (const [key, member] of Object.entries(value)) {
        const fault = textFault(key);
        if (fault) return { pointer: pointerTo(place), message: `a member’s name ${fault}` };
        open.push({ value: member, depth: place.depth + 1, parent: place, key });
      }
    }
  }
  return null;
}

/**
 * The first integer of a JSON text that is beyond 2^53 and no double holds: parsed, it would be another number, and two
 * different events would look the same. Looks at the text only where it has that many digits.
 */
export function findInexactInteger(text: string): string | null {
  if (!/\d{16}/.test(text)) return null;
  let found: string | null = null;
  const look = (_key: string, value: unknown, context?: { source?: string }): unknown => {
    const source = context?.source ?? '';
    if (typeof value === 'number' && /^-?\d+$/.test(source) && BigInt(source) !== BigInt(value))
      found ??= source;
    return value;
  };
  JSON.parse(text, look);
  return found;
}

/** Text that comes from outside and must be kept all the same: what cannot be stored becomes U+FFFD. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\ufffd');
}

function textFault(text: string): string | null {
  if (text.includes('\u0000')) return 'holds U+0000, which cannot be stored';
  if (!text.isWellFormed()) return 'holds a lone surrogate, which cannot be stored';
  return null;
}

function pointerTo(place: Place): string {
  const keys: string[] = [];
  for (let at: Place = place; at.parent; at = at.parent) {
    keys.unshift(String(at.key).replaceAll('~', '~0').replaceAll('/', '~1'));
  }
  return keys.map((key) => `/${key}`).join('');
}
