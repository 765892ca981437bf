import type {
  DevicesOutcome,
  DoneOutcome,
  LinkedDevice,
  Refusal,
  TransportListener,
} from 'sealcast';
import { StandInAccountService } from './stand-in-account-service.js';

export type OwnRequestName =
  'setCapabilities' | 'answerChallenge' | 'fetchDevices' | 'removeDevice';

/** A StandInAccountService with the requests that are optional in an AccountTransport. */
export class OwnDeviceService extends StandInAccountService {
  readonly ownRequests: (readonly [OwnRequestName, unknown])[] = [];
  /** Refusals in place of the service's answer, the first one first; a name's own. */
  readonly refusals = new Map<OwnRequestName, Refusal[]>();
  devices: LinkedDevice[] = [];
  listener: TransportListener | undefined;

  asked(name: OwnRequestName): unknown[] {
    return this.ownRequests.filter(([asked]) => asked === name).map(([, request]) => request);
  }

  override receive(listener: TransportListener): () => void {
    this.listener = listener;
    return () => (this.listener = undefined);
  }

  setCapabilities(capabilities: Readonly<Record<string, boolean>>): Promise<DoneOutcome> {
    return this.#done('setCapabilities', capabilities);
  }

  answerChallenge(answer: object): Promise<DoneOutcome> {
    return this.#done('answerChallenge', answer);
  }

  fetchDevices(): Promise<DevicesOutcome> {
    this.ownRequests.push(['fetchDevices', undefined]);
    const refusal = this.refusals.get('fetchDevices')?.shift();
    return Promise.resolve(refusal ?? { status: 'ok', devices: this.devices });
  }

  removeDevice(deviceId: number): Promise<DoneOutcome> {
    return this.#done('removeDevice', deviceId);
  }

  #done(name: OwnRequestName, request: unknown): Promise<DoneOutcome> {
    this.ownRequests.push([name, request]);
    return Promise.resolve(this.refusals.get(name)?.shift() ?? { status: 'ok' });
  }
}
