/** One colour for each kind of ending, wherever it is shown. */
import type { Style } from './terminal.ts';

const STYLES: Readonly<Record<string, Style>> = {
  completed: 'green',
  created: 'green',
  audited: 'green',
  fired: 'green',
  accepted: 'green',
  redriven: 'green',
  clean: 'green',
  failed: 'red',
  filter_error: 'red',
  quarantined: 'red',
  dirty: 'red',
  running: 'cyan',
  pending: 'yellow',
  held: 'yellow',
  missed: 'yellow',
  overlapped: 'yellow',
  paused: 'yellow',
  open: 'yellow',
};

export const styleOf = (status: string): Style | null => STYLES[status] ?? null;
