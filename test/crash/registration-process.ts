// One step of a registration against the mock service, in a process of its own. Its one argument is
// a step as JSON. Writes the account as JSON, or nothing, to its standard output.
import { openStore, resumeRegistration, startRegistration, type Registration } from 'sealcast';
import { netOf } from '../mock-service/net.js';

export interface RegistrationStep {
  readonly ask: 'start' | 'captcha' | 'request' | 'submit' | 'resume';
  readonly storePath: string;
  readonly number: string;
  readonly port: number;
  readonly caCertificateHex: string;
  /** Whether the process dies with the service's answer, before the account is on the disk. */
  readonly diesUnstored?: boolean;
}

const step = JSON.parse(process.argv[2] ?? '') as RegistrationStep;
const caCertificateDer = new Uint8Array(Buffer.from(step.caCertificateHex, 'hex'));
const net = netOf({ port: step.port, caCertificateDer });
const store = await openStore({ path: step.storePath });
if (step.diesUnstored === true) {
  const commit = store.commit.bind(store);
  store.commit = (changes) => {
    const isAccount = changes.some(({ table, key }) => table === 'account' && key === 'self');
    if (isAccount) process.kill(process.pid, 'SIGKILL');
    return commit(changes);
  };
}

const resume = (): Promise<Registration> => resumeRegistration({ net, store });
const STEPS: Readonly<Record<RegistrationStep['ask'], () => Promise<unknown>>> = {
  start: () =>
    startRegistration({
      net,
      store,
      number: step.number,
      confirmNumberNotInUse: true,
    }),
  captcha: async () => (await resume()).captcha('signalcaptcha://a.captcha.registration.token'),
  request: async () => (await resume()).requestCode('sms'),
  submit: async () => (await resume()).submitCode('111111'),
  resume: async () => (await resume()).account,
};
const result = await STEPS[step.ask]();
await store.close();
const hasAccount = step.ask === 'submit' || step.ask === 'resume';
if (hasAccount && result !== undefined) process.stdout.write(JSON.stringify(result));
