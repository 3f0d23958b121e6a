/** The house's rule: imports run one way, `dev` is reached from `cli` alone, workflows stay thin, and nothing runs in circles. */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

/** Each room with the rooms that it may import from. A room may always import from itself. */
const MAY_IMPORT: Record<string, string[]> = {
  main: ['cli'],
  cli: [
    'service',
    'backtest',
    'dev',
    'api',
    'clients',
    'schedules',
    'definitions',
    'resolvers',
    'sinks',
    'reports',
    'store',
    'telemetry',
    'config',
    'core',
  ],
  service: [
    'api',
    'worker',
    'retention',
    'activities',
    'trust',
    'bridge',
    'schedules',
    'definitions',
    'resolvers',
    'sinks',
    'reports',
    'clients',
    'store',
    'telemetry',
    'config',
    'core',
  ],
  worker: ['telemetry', 'workflows', 'activities'],
  api: [
    'activities',
    'trust',
    'bridge',
    'schedules',
    'definitions',
    'resolvers',
    'sinks',
    'reports',
    'store',
    'telemetry',
    'clients',
    'core',
  ],
  activities: [
    'trust',
    'schedules',
    'definitions',
    'resolvers',
    'sinks',
    'reports',
    'bridge',
    'store',
    'clients',
    'telemetry',
    'workflows',
    'core',
  ],
  backtest: ['activities', 'definitions', 'resolvers', 'clients', 'core'],
  retention: ['store', 'telemetry'],
  trust: ['definitions', 'reports', 'store', 'clients', 'telemetry', 'core'],
  bridge: ['definitions', 'resolvers', 'sinks', 'store', 'telemetry', 'workflows', 'core'],
  schedules: ['definitions', 'resolvers', 'sinks', 'store', 'telemetry', 'workflows', 'core'],
  definitions: ['resolvers', 'reports', 'store', 'telemetry', 'core'],
  sinks: ['store', 'clients', 'core'],
  resolvers: ['store', 'clients', 'core'],
  reports: ['clients', 'core'],
  clients: ['config', 'core'],
  store: ['telemetry', 'core'],
  telemetry: [],
  config: [],
  workflows: [],
  dev: [],
  core: [],
};

const files = globSync('src/**/*.ts');
const imports = new Map(files.map((file) => [file, importsOf(file)]));

test('every import runs in the direction that the architecture draws', () => {
  const wrong = files.flatMap((file) =>
    local(file)
      .filter(
        (target) => roomOf(target) !== roomOf(file) && !MAY_IMPORT[roomOf(file)]?.includes(roomOf(target)),
      )
      .map((target) => `${file} → ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('only the contract of the workflows is imported from outside', () => {
  const wrong = files.flatMap((file) =>
    local(file)
      .filter(
        (target) =>
          roomOf(target) === 'workflows' &&
          roomOf(file) !== 'workflows' &&
          target !== 'src/workflows/contract.ts',
      )
      .map((target) => `${file} → ${target}`),
  );
  expect(wrong).toEqual([]);
});

test('workflow code imports nothing but @temporalio/workflow and its own files', () => {
  const foreign = files
    .filter((file) => roomOf(file) === 'workflows')
    .flatMap((file) =>
      (imports.get(file) ?? []).filter((name) => !name.startsWith('./') && name !== '@temporalio/workflow'),
    );
  expect(foreign).toEqual([]);
});

test('core has no I/O, clock or randomness', () => {
  const pure = new Set(['node:crypto']);
  for (const file of files.filter((name) => roomOf(name) === 'core')) {
    const outside = (imports.get(file) ?? []).filter((name) => name.startsWith('node:') && !pure.has(name));
    expect(outside, file).toEqual([]);
    const text = readFileSync(file, 'utf8');
    expect(text, file).not.toMatch(
      /Date\.now\(|new Date\(\)|Math\.random|randomUUID|randomBytes|process\.|fetch\(/,
    );
  }
});

/** The files that are run, each as a process of its own. */
const PROCESSES = ['src/main.ts', 'src/dev/supervisor.ts'];

test('process.env is read in config.ts alone, and only main.ts and the supervisor exit', () => {
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    if (file !== 'src/config.ts') expect(text, file).not.toContain('process.env');
    if (!PROCESSES.includes(file)) expect(text, file).not.toMatch(/process\.exit\(/);
  }
});

test('no file imports itself through others', () => {
  const done = new Set<string>();
  const visit = (file: string, trail: string[]): void => {
    if (trail.includes(file))
      throw new Error(`a circle: ${[...trail.slice(trail.indexOf(file)), file].join(' → ')}`);
    if (done.has(file)) return;
    for (const target of local(file)) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+'([^']+)'|import\('([^']+)'\)/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
}

function local(file: string): string[] {
  return (imports.get(file) ?? [])
    .filter((name) => name.startsWith('.'))
    .map((name) => relative('.', join(dirname(file), name)))
    .filter((target) => target.startsWith('src/'));
}

function roomOf(file: string): string {
  const [, first = '', second] = file.split('/');
  return second === undefined ? first.replace(/\.ts$/, '') : first;
}
