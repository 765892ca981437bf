// Entry of the process in which the mock service runs. It ends with its parent, however that ends.
// Its one argument is a directory for what the service writes.
import { rmSync } from 'node:fs';
import './promise-with-resolvers.js';
import type { CallMessage, ReplyMessage } from './protocol.js';
import { ServiceHost } from './service-host.js';

const [, , filesPath = ''] = process.argv;
let host: ServiceHost | undefined;

function started(): ServiceHost {
  if (host === undefined) throw new Error('the mock service has not been started');
  return host;
}

async function handle(call: CallMessage, onProgress: (value: unknown) => void): Promise<unknown> {
  switch (call.name) {
    case 'start':
      if (host !== undefined) throw new Error('the mock service has been started already');
      host = await ServiceHost.start(filesPath, call.params, onProgress);
      return host.description;
    case 'subscribersSayHello':
      await started().subscribersSayHello(call.params.text, onProgress);
      return null;
    case 'sendText':
      await started().sendText(call.params);
      return null;
    case 'sendContent':
      await started().sendContent(call.params);
      return null;
    case 'waitForDecrypted':
      return started().waitForDecrypted(call.params, onProgress);
    case 'requests':
      return started().requests;
    case 'exportState':
      return started().exportState();
    case 'unregister':
      started().unregister(call.params);
      return null;
    case 'reregister':
      await started().reregister(call.params);
      return null;
    case 'rotateProfileKey':
      return started().rotateProfileKey(call.params);
    case 'linkDevice':
      return started().linkDevice(call.params);
    case 'scanCode':
      return started().scanCode(call.params);
    case 'nextTranscript':
      return started().nextTranscript();
    case 'unlinkDevice':
      await started().unlinkDevice(call.params);
      return null;
    case 'alertBroadcaster':
      started().alertBroadcaster(call.params);
      return null;
    case 'answerRegistrations':
      started().answerRegistrations(call.params);
      return null;
    case 'stop':
      return null;
  }
}

function reply(message: ReplyMessage, onSent?: () => void): void {
  process.send?.(message, undefined, undefined, onSent);
}

// Ending the process is all there is to stopping: it closes the sockets. The directory goes here
// and in the parent, because either of them may be killed.
process.once('exit', () => rmSync(filesPath, { recursive: true, force: true }));
process.once('disconnect', () => process.exit(0));
process.on('message', (call: CallMessage) => {
  const { id } = call;
  handle(call, (value) => reply({ id, kind: 'progress', value })).then(
    (value) =>
      reply(
        { id, kind: 'result', value },
        call.name === 'stop' ? () => process.exit(0) : undefined,
      ),
    (error: unknown) => {
      reply({
        id,
        kind: 'failure',
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    },
  );
});
