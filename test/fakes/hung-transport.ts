// A process of its own: closes a transport that waits for an answer and for a connection, and has
// nothing left to live for.
import { FakeService } from './fake-service.js';
import { ASK, openTransport } from '../harness/transports.js';

const service = new FakeService().on('PUT', /./, () => new Promise(() => undefined));
const transport = await openTransport(service, {
  unauthenticatedConnections: 2,
  backoff: { random: () => 0.999 },
});
const asked = ASK.sendSealed(transport).catch(
  (error: unknown) => (error as { code: unknown }).code,
);
service.refuseConnections();
await service.dropConnections(({ authenticated }) => authenticated);
const waiting = ASK.sendUnsealed(transport).catch(
  (error: unknown) => (error as { code: unknown }).code,
);
await transport.close();
console.log(JSON.stringify([await asked, await waiting]));
