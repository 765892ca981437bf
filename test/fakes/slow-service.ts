import { neverHangs, untilTrue } from '../harness/await-condition.js';
import { FakeService, type FakeResponse } from './fake-service.js';

/** A service that answers when it is told to. */
export class SlowService extends FakeService {
  readonly #waiting: ((response: FakeResponse) => void)[] = [];

  constructor() {
    super();
    const later = (): Promise<FakeResponse> =>
      new Promise((resolve) => this.#waiting.push(resolve));
    for (const verb of ['PUT', 'GET', 'HEAD', 'DELETE']) this.on(verb, /./, later);
  }

  async untilAsked(times: number): Promise<void> {
    await neverHangs(
      untilTrue(() => this.requests.length >= times),
      'a request',
    );
  }

  answerAll(response: FakeResponse): void {
    for (const answer of this.#waiting.splice(0)) answer(response);
  }
}
