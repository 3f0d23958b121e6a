/** What every answer has, whatever was asked. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "base-uri 'self'",
  "font-src 'self' https: data:",
  "form-action 'self'",
  "frame-ancestors 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "script-src 'self'",
  "script-src-attr 'none'",
  "style-src 'self' https: 'unsafe-inline'",
];

/**
 * Those of helmet 8, but for what sends a browser to https: plain HTTP is spoken inside the cluster (SCOPE.md). Written
 * out, since the plugin sets them in a hook, and requests that the router refuses pass all hooks by.
 */
export const FIXED_HEADERS: Readonly<Record<string, string>> = {
  // Answers hold what was published and decided; nothing on the way may keep them.
  'cache-control': 'no-store',
  'content-security-policy': CONTENT_SECURITY_POLICY.join(';'),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-frame-options': 'SAMEORIGIN',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
};
