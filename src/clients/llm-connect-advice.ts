/** What an answer of llm-connect that is no completion means, and what to do next. */

export interface Advice {
  /** Goes on from `llm-connect answered 404`. */
  advice: string;
  /** Asking the same again later may help. */
  retryable: boolean;
}

/** `base`: LLM_CONNECT_URL. */
export function adviceOn(status: number, base: string): Advice {
  if (status === 408 || status === 429 || status >= 500) {
    return { advice: '; the same may be asked again later', retryable: true };
  }
  return { advice: adviceOnRefusal(status, base), retryable: false };
}

function adviceOnRefusal(status: number, base: string): string {
  if (status === 401 || status === 403) {
    return ': it wants credentials, and activity-core sends none; set LLM_CONNECT_URL to a gateway that adds them';
  }
  if (status === 404 || status === 405) {
    if (/\/v1$/.test(base)) return '; set LLM_CONNECT_URL without the `/v1` at its end, which is added';
    return '; is LLM_CONNECT_URL right, and does it know the model of LLM_CONNECT_MODEL?';
  }
  if (status === 413) return ': the prompt is too long for it; give the instruction less data';
  if (status >= 400) {
    return ' and will not take this; its answer says why (the model must know `response_format` `json_schema`)';
  }
  if (status >= 300) {
    return ', a redirect, which is not followed; set LLM_CONNECT_URL to where llm-connect is';
  }
  return ', which is no completion; is LLM_CONNECT_URL right?';
}
