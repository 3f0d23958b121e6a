/** What a request is, and what is answered to it, apart from the sockets. */

export interface Received {
  method: string;
  /** Without the query. */
  path: string;
  query: URLSearchParams;
  idempotency_key: string | null;
  authorization: string | null;
  /** As it came. */
  text: string;
}

export interface Answer {
  status: number;
  /** A text is sent as it is, an object as JSON. */
  body: object | string;
  headers?: Record<string, string>;
}

export const answered = (status: number, body: object): Answer => ({ status, body });

export const refused = (status: number, error: string, message: string): Answer => ({
  status,
  body: { error, message },
});

export const notFound = (what: string): Answer => refused(404, 'not_found', `there is no ${what}`);

export const notServed = ({ method, path }: Received): Answer =>
  refused(405, 'method_not_allowed', `${method} ${path} is not served`);
