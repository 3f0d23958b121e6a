/** What `npm run soak` takes. */
import { parseArgs } from 'node:util';

export interface SoakArguments {
  minutes: number;
  /** Events a second; null measures saturation and takes half of it. */
  rate: number | null;
  /** Where the samples and the verdict are written as JSON, and the figure as SVG. */
  json: string | null;
  figure: string | null;
}

export class UsageError extends Error {}

/** @throws UsageError */
export function parseOptions(args: string[]): SoakArguments {
  const { minutes, rate, json, figure } = readArguments(args);
  return {
    minutes: positive('minutes', minutes ?? '30'),
    rate: rate === undefined ? null : positive('rate', rate),
    json: json ?? null,
    figure: figure ?? null,
  };
}

function readArguments(args: string[]): Partial<Record<'minutes' | 'rate' | 'json' | 'figure', string>> {
  const text = { type: 'string' as const };
  try {
    return parseArgs({ args, options: { minutes: text, rate: text, json: text, figure: text } }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function positive(name: string, text: string): number {
  if (!/^\d{1,6}(\.\d+)?$/.test(text) || Number(text) === 0)
    throw new UsageError(`--${name} is \`${text}\`; expected a number above 0`);
  return Number(text);
}
