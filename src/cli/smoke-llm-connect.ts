/** `smoke llm-connect`: does a model answer there, and does its answer fit a schema? Needs nothing else of activity-core. */
import { type Completion, createLlmConnectClient } from '../clients/llm-connect.ts';
import { type CheckedOutput, createOutputCheck } from '../core/output-schema.ts';
import { type Cli, type ExitCode, printJson } from './cli.ts';
import { SMOKE_MAX_TOKENS, SMOKE_MESSAGES, SMOKE_SCHEMA } from './smoke-fixture.ts';
import { type SmokeResult, smokeStory } from './smoke-story.ts';
import { UsageError } from './usage-error.ts';

export interface SmokeOptions {
  url?: string;
  json?: boolean;
}

/** The exit code: 1 where there is no answer, or one that does not fit. @throws UsageError, ConfigurationError */
export async function smokeLlmConnect(cli: Cli, options: SmokeOptions): Promise<ExitCode> {
  const { LLM_CONNECT_TIMEOUT_SECONDS: seconds, LLM_CONNECT_MODEL: model } = cli.readConfig();
  const url = await endpointOf(cli, options);
  if (!options.json) cli.terminal.warn(`Asking ${url} for a triage of five tasks; at most ${seconds} s…`);
  const client = createLlmConnectClient({ url, timeoutMs: seconds * 1000, model });
  const completion = await client.complete({
    messages: SMOKE_MESSAGES,
    schema: SMOKE_SCHEMA,
    max_tokens: SMOKE_MAX_TOKENS,
  });
  const result = resultOf(url, completion);
  if (options.json) printJson(cli.terminal, result);
  else cli.terminal.print(smokeStory(cli.terminal, result).join('\n'));
  return result.verdict === 'schema_valid' ? 0 : 1;
}

/** @throws UsageError */
async function endpointOf(cli: Cli, { url: option }: SmokeOptions): Promise<string> {
  const { LLM_CONNECT_URL: configured } = cli.readConfig();
  if (option !== undefined) return plainUrl(option, '--url');
  if (configured) return plainUrl(configured, 'LLM_CONNECT_URL');
  const dev = await cli.readDevFile();
  if (dev?.llm_connect_url) return plainUrl(dev.llm_connect_url, '.activity-core/dev.json');
  throw new UsageError(
    'LLM_CONNECT_URL is not set, and no dev instance runs here; set it, name an endpoint with --url, or start `npm run dev`, which has a stand-in',
  );
}

function plainUrl(text: string, origin: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  // Neither is sent, and a password has no place on a command line, nor in what is printed.
  if (url?.username || url?.password) {
    throw new UsageError(`${origin} holds a user or password, which is not sent; name a URL without them`);
  }
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash) {
    // Not what was given: it may hold a key.
    throw new UsageError(
      `${origin} is no plain http(s) URL; expected one like http://127.0.0.1:11434, without a query`,
    );
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}

function resultOf(url: string, completion: Completion): SmokeResult {
  const { latency_ms } = completion;
  const nothing = { model: null, usage: null, finish_reason: null, output: null, violations: [] };
  if (completion.kind !== 'answered') {
    const { answer, message } = completion;
    return { verdict: 'no_answer', url, latency_ms, ...nothing, answer, message };
  }
  const { text, ending, model, usage, finish_reason } = completion;
  const about = { url, model, latency_ms, usage, finish_reason };
  const checked: CheckedOutput = createOutputCheck()(SMOKE_SCHEMA.schema, text, ending);
  if (checked.ok) {
    const { value: output } = checked;
    return { verdict: 'schema_valid', ...about, output, violations: [], answer: null, message: null };
  }
  const { violations } = checked;
  const message = ADVICE[ending];
  return { verdict: 'schema_invalid', ...about, output: null, violations, answer: text, message };
}

const ADVICE = {
  complete:
    'use a model, or a server, that enforces `response_format` `json_schema` (LLM_CONNECT_MODEL names the model)',
  truncated: `raise the endpoint's limit of output tokens, or use a model that needs less than ${SMOKE_MAX_TOKENS}`,
  declined: 'use another model: this one declined a harmless request (LLM_CONNECT_MODEL names the model)',
  oversized: 'use another model: this one does not stop (LLM_CONNECT_MODEL names the model)',
};
