// @ts-check
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {object} WebhookOptions
 * @property {string | URL} url `https:`, or `http:` to this machine: texts and senders' ids leave
 *   the process in the clear.
 * @property {Record<string, string>} [headers] An `authorization`, for example.
 * @property {number} [attempts] Requests for a message at most. Default 5.
 * @property {number} [firstDelayMs] Longest wait before the second attempt; each later one may be
 *   twice as long. Default 500.
 * @property {number} [timeoutMs] Of each request. Default 10,000.
 * @property {(reason: string, attempt: number) => void} [onRetry] Hears why an attempt failed: a
 *   status or an error's code.
 */

/**
 * Posts each text that comes in to a webhook, in order, at least once.
 *
 * A message counts as dealt with when the loop asks for the next one. Where the webhook takes a
 * message in none of the attempts, this throws: the message stays in the store, and the next start
 * posts it again. So does a crash after the webhook took it: `idempotency-key` is the same each
 * time.
 *
 * @param {import('sealcast').Receiver} receiver
 * @param {WebhookOptions} options
 * @returns {Promise<number>} messages posted, when the receiver is closed
 */
export async function forwardMessages(receiver, options) {
  const url = new URL(options.url);
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) {
    throw new Error('the webhook needs an https: url');
  }
  let posted = 0;
  for await (const { sender, senderDevice, timestamp, content } of receiver) {
    const body = content.dataMessage?.body;
    if (body === undefined) continue;
    const key = createHash('sha256').update(`${sender}.${senderDevice}.${timestamp}`).digest('hex');
    await postWithRetries(url, key, JSON.stringify({ sender, timestamp, body }), options);
    posted++;
  }
  return posted;
}

/**
 * @param {URL} url
 * @param {string} key
 * @param {string} body
 * @param {WebhookOptions} options
 */
async function postWithRetries(
  url,
  key,
  body,
  { headers, attempts = 5, firstDelayMs = 500, timeoutMs = 10_000, onRetry },
) {
  for (let attempt = 1; ; attempt++) {
    const failure = await post(
      url,
      { ...headers, 'content-type': 'application/json', 'idempotency-key': key },
      body,
      timeoutMs,
    );
    if (failure === undefined) return;
    // Neither the text nor the sender is in the error: it may be logged.
    if (attempt >= attempts)
      throw new Error(`post to the webhook: ${failure.reason} in the last of ${attempt} attempts`);
    if (!failure.retryable) throw new Error(`post to the webhook: ${failure.reason}`);
    onRetry?.(failure.reason, attempt);
    // Full jitter, so that processes that failed together do not come back together.
    await sleep(Math.random() * firstDelayMs * 2 ** (attempt - 1));
  }
}

/**
 * @param {URL} url
 * @param {Record<string, string>} headers
 * @param {string} body
 * @param {number} timeoutMs
 * @returns {Promise<{ reason: string, retryable: boolean } | undefined>} undefined if the webhook
 *   took it
 */
async function post(url, headers, body, timeoutMs) {
  try {
    // A redirect would take the text to a place that was not asked for.
    const signal = AbortSignal.timeout(timeoutMs);
    const response = await fetch(url, { method: 'POST', headers, body, redirect: 'error', signal });
    await response.body?.cancel();
    const { ok, status } = response;
    if (ok) return undefined;
    return {
      reason: `HTTP ${status}`,
      retryable: status >= 500 || status === 408 || status === 429,
    };
  } catch (error) {
    const { name, cause } = /** @type {Error & { cause?: { code?: string } }} */ (error);
    return { reason: cause?.code ?? name, retryable: true };
  }
}
