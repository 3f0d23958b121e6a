/** A headless Chromium of the machine's, over the DevTools protocol: no package brings one, and none is downloaded. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { until } from './until.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** CHROMIUM_PATH, else the first of the usual names on PATH; null where there is none, and `what` is skipped aloud. */
export function findChromium(what: string): string | null {
  const { CHROMIUM_PATH, PATH = '' } = process.env;
  if (CHROMIUM_PATH) return CHROMIUM_PATH;
  const folders = PATH.split(delimiter).filter(Boolean);
  const found = folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isExecutable);
  if (found) return found;
  console.error(
    `SKIPPED: ${what} in a browser. No chromium, chromium-browser or google-chrome on PATH; CHROMIUM_PATH may name one (Debian: apt-get install chromium)`,
  );
  return null;
}

/** An expression for `shows`. */
export const contains = (selector: string, text: string): string =>
  `document.querySelector('${selector}')?.textContent.includes(${JSON.stringify(text)})`;

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false;
    throw error;
  }
}

export interface Tab {
  /** Each request that the page made, in order. */
  requests: { method: string; url: string }[];
  /** What the console was told as an error, exceptions included. */
  errors: string[];
  open(url: string): Promise<void>;
  /** The value of an expression in the page; promises are awaited. */
  evaluate<T>(expression: string): Promise<T>;
  /** Of the first element; empty where there is none. */
  textOf(selector: string): Promise<string>;
  /** Until the expression is true. */
  shows(expression: string): Promise<void>;
  /** `key` as in `KeyboardEvent.key`. */
  press(key: string): Promise<void>;
  type(text: string): Promise<void>;
  emulate(look: { scheme: 'light' | 'dark'; width: number; height: number }): Promise<void>;
  screenshot(): Promise<Buffer>;
}

export interface Browser extends AsyncDisposable {
  tab(): Promise<Tab>;
}

export async function startBrowser(executable: string): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'activity-core-browser-'));
  const child = spawn(
    executable,
    [
      '--headless=new',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      '--no-first-run',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--disable-extensions',
      '--disable-background-networking',
      '--disable-component-update',
      // Chromium's sandbox refuses root, as whom containers run tests; it opens nothing but our own page.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = once(child, 'exit');
  const reap = () => child.kill('SIGKILL');
  process.once('exit', reap);
  child.once('exit', () => process.off('exit', reap));
  const protocol = await connect(await addressOf(child));
  return {
    tab: () => openTab(protocol),
    async [Symbol.asyncDispose]() {
      protocol.close();
      child.kill('SIGKILL');
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

async function addressOf(child: ChildProcess): Promise<string> {
  let said = '';
  child.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  return until(
    'the browser listens',
    async () => {
      if (child.exitCode !== null) throw new Error(`the browser ended with ${child.exitCode}:\n${said}`);
      return /DevTools listening on (ws:\S+)/.exec(said)?.[1];
    },
    { context: () => said },
  );
}

type Params = Record<string, unknown>;
/** What the protocol says is read where it is used. */
type Said = Record<string, unknown>;

interface Protocol {
  send(method: string, params?: Params, session?: string): Promise<Said>;
  on(session: string, listener: (method: string, params: Said) => void): void;
  close(): void;
}

async function connect(address: string): Promise<Protocol> {
  const socket = new WebSocket(address);
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true });
    socket.addEventListener('error', () => reject(new Error('the browser refused the connection')), {
      once: true,
    });
  });
  const waiting = new Map<number, PromiseWithResolvers<Said>>();
  const listeners = new Map<string, (method: string, params: Said) => void>();
  let last = 0;
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error, method, params, sessionId } = JSON.parse(String(data));
    if (id === undefined) return void listeners.get(sessionId)?.(method, params);
    const answer = waiting.get(id);
    waiting.delete(id);
    if (error) answer?.reject(new Error(error.message));
    else answer?.resolve(result);
  });
  socket.addEventListener('close', () => {
    for (const { reject } of waiting.values()) reject(new Error('the browser is gone'));
  });
  return {
    send(method, params = {}, session) {
      last += 1;
      const answer = Promise.withResolvers<Said>();
      waiting.set(last, answer);
      socket.send(JSON.stringify({ id: last, method, params, ...(session ? { sessionId: session } : {}) }));
      return answer.promise;
    },
    on: (session, listener) => void listeners.set(session, listener),
    close: () => socket.close(),
  };
}

/** What a key is besides its name, for those that do more than to be a character. */
const KEYS: Record<string, { code: string; windowsVirtualKeyCode: number; text?: string }> = {
  Tab: { code: 'Tab', windowsVirtualKeyCode: 9 },
  Enter: { code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' },
  Escape: { code: 'Escape', windowsVirtualKeyCode: 27 },
  ArrowDown: { code: 'ArrowDown', windowsVirtualKeyCode: 40 },
  ArrowUp: { code: 'ArrowUp', windowsVirtualKeyCode: 38 },
};

async function openTab(protocol: Protocol): Promise<Tab> {
  const { targetId } = await protocol.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await protocol.send('Target.attachToTarget', { targetId, flatten: true });
  const session = String(sessionId);
  const send = (method: string, params: Params = {}) => protocol.send(method, params, session);
  const requests: Tab['requests'] = [];
  const errors: string[] = [];
  protocol.on(session, (method, params) => {
    const text = JSON.stringify(params);
    if (method === 'Network.requestWillBeSent') {
      const { request } = params as { request: { method: string; url: string } };
      requests.push({ method: request.method, url: request.url });
    }
    if (method === 'Runtime.exceptionThrown') errors.push(text);
    if (method === 'Runtime.consoleAPICalled' && params.type === 'error') errors.push(text);
    if (method === 'Log.entryAdded' && text.includes('"level":"error"')) errors.push(text);
  });
  for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await send(`${domain}.enable`);

  async function evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { value: T }).value;
  }

  /** False while one document takes another's place. */
  const holds = (expression: string): Promise<boolean> =>
    evaluate<boolean>(`Boolean(${expression})`).catch((error: Error) => {
      if (/navigated|context/i.test(error.message)) return false;
      throw error;
    });

  const press = async (key: string) => {
    const { text = key, ...rest } = KEYS[key] ?? { code: '', windowsVirtualKeyCode: 0 };
    const what = { key, ...rest, ...(text.length === 1 ? { text } : {}) };
    await send('Input.dispatchKeyEvent', { type: text.length === 1 ? 'keyDown' : 'rawKeyDown', ...what });
    await send('Input.dispatchKeyEvent', { type: 'keyUp', ...what });
  };

  return {
    requests,
    errors,
    evaluate,
    press,
    async open(url) {
      await send('Page.navigate', { url });
      const there = `location.href.startsWith(${JSON.stringify(url)}) && document.readyState === 'complete'`;
      await until('the page is loaded', () => holds(there));
    },
    textOf: (selector) => evaluate(`document.querySelector('${selector}')?.textContent ?? ''`),
    shows: (expression) => until(expression, () => holds(expression)).then(() => undefined),
    type: (text) => send('Input.insertText', { text }).then(() => undefined),
    async emulate({ scheme, width, height }) {
      await send('Emulation.setEmulatedMedia', {
        features: [{ name: 'prefers-color-scheme', value: scheme }],
      });
      await send('Emulation.setDeviceMetricsOverride', {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: false,
      });
    },
    async screenshot() {
      const { data } = await send('Page.captureScreenshot', { format: 'png' });
      return Buffer.from(String(data), 'base64');
    },
  };
}
