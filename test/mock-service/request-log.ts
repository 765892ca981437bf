import { createRequire } from 'node:module';
import type { Connection } from '@signalapp/mock-server/src/server/ws/connection.js';
import type { LoggedRequest } from './protocol.js';

interface WebSocketRequest {
  readonly verb: string | null;
  readonly path: string | null;
  readonly headers: readonly string[] | null;
  readonly body: Uint8Array | null;
}

/** The parts of a connection that its class keeps to itself. */
interface ConnectionInside {
  readonly request: { readonly headers: Record<string, string | string[] | undefined> };
  readonly device: object | undefined;
  handleRequest: (
    this: ConnectionInside,
    request: WebSocketRequest,
  ) => Promise<{ readonly status: number | null }>;
}

function parseHeader(line: string): readonly [string, string] {
  const colonIndex = line.indexOf(':');
  return [line.slice(0, colonIndex).trim().toLowerCase(), line.slice(colonIndex + 1).trim()];
}

/**
 * Keeps every request, as the service saw it. The service has no hook for this (27.0.0,
 * 2026-11), so the one method through which every request of a chat connection goes is wrapped.
 */
export function logRequests(): readonly LoggedRequest[] {
  const log: LoggedRequest[] = [];
  // The class by its file, because the package exports it nowhere else; with require, to get the
  // very copy it uses.
  const require = createRequire(import.meta.url);
  const connections = require('@signalapp/mock-server/src/server/ws/connection.js') as {
    Connection: typeof Connection;
  };
  const prototype = connections.Connection.prototype as unknown as ConnectionInside;
  const { handleRequest } = prototype;

  prototype.handleRequest = async function (request) {
    const response = await handleRequest.call(this, request);
    const { verb, path } = request;
    if (verb !== null && path !== null) {
      log.push({
        verb,
        path,
        headers: (request.headers ?? []).map(parseHeader),
        connectionHeaders: Object.entries(this.request.headers).flatMap(([name, values]) =>
          [values ?? []].flat().map((value) => [name.toLowerCase(), value] as const),
        ),
        // Read only now, since an Authorization header on the request itself is looked at while it
        // is handled.
        authenticated: this.device !== undefined,
        body: new Uint8Array(request.body ?? []),
        status: response.status ?? 0,
      });
    }
    return response;
  };
  return log;
}
