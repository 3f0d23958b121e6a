/** GET, and nothing else, from this page's own origin. The token is kept here, in memory, and nowhere else. */

const ANSWER_MS = 10_000;

/** `code` is the problem's own, or `no_answer`, `unreadable`. */
export class Refused extends Error {
  constructor(code, message, body = {}) {
    super(message);
    this.code = code;
    this.body = body;
  }
}

/** `ask(path)` gives the answer's JSON. `accepts`: statuses besides 200. @throws Refused */
export function createAsk() {
  let token = null;
  let given = 0;

  async function ask(path, { accepts = [] } = {}) {
    const headers = { accept: 'application/json' };
    if (token !== null) headers.authorization = `Bearer ${token}`;
    let response;
    try {
      response = await fetch(path, {
        headers,
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
        signal: AbortSignal.timeout(ANSWER_MS),
      });
    } catch (error) {
      const late = error.name === 'TimeoutError';
      throw new Refused(
        'no_answer',
        late ? `no answer within ${ANSWER_MS / 1000} s` : 'the service cannot be reached',
      );
    }
    const body = await readBody(response);
    if (response.ok || accepts.includes(response.status)) return body;
    throw new Refused(
      body.code ?? `http_${response.status}`,
      body.detail ?? `it answered ${response.status}`,
      body,
    );
  }

  return {
    ask,
    /** What cannot be a token would make every request fail: it is refused here. */
    useToken(text) {
      if (!/^[\x21-\x7e]+$/.test(text))
        throw new Refused('unauthorized', 'that cannot be a token: it has blanks or is empty');
      token = text;
      given += 1;
    },
    forgetToken() {
      token = null;
    },
    /** The how manieth that was given is in use; 0: none. */
    tokenInUse: () => (token === null ? 0 : given),
  };
}

async function readBody(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === 'SyntaxError')
      throw new Refused('unreadable', `it answered ${response.status} without JSON`);
    const late = error.name === 'TimeoutError';
    throw new Refused(
      'no_answer',
      late ? `no whole answer within ${ANSWER_MS / 1000} s` : 'the answer broke off',
    );
  }
}
