// A process that links its device, and is killed at the commit after the service's answer.
import { linkDevice, openStore, type Store } from 'sealcast';
import { netOf } from '../mock-service/net.js';

/** Job of this process, as its parent sends it. */
export interface LinkJob {
  readonly path: string;
  readonly port: number;
  readonly caCertificateDer: Uint8Array<ArrayBuffer>;
}

/** The first commit is the pending link; the second one would be the account. */
function killedAtSecondCommit(store: Store): Store {
  const commit = store.commit.bind(store);
  let commits = 0;
  return Object.assign(store, {
    commit: (changes: Parameters<Store['commit']>[0]): Promise<void> => {
      commits += 1;
      if (commits === 2) process.kill(process.pid, 'SIGKILL');
      return commit(changes);
    },
  });
}

process.once('message', ({ path, ...service }: LinkJob) => {
  void (async () => {
    const store = killedAtSecondCommit(await openStore({ path }));
    const link = linkDevice({ net: netOf(service), store, deviceName: 'the desk' });
    for await (const event of link) if (event.type === 'url') process.send?.(event.url);
  })();
});
