import {
  Account,
  Broadcaster,
  Receiver,
  type AccountOptions,
  type BroadcasterOptions,
  type ReceiverOptions,
} from 'sealcast';
import type { Clock } from '#dist/src/util/clock.js';

/** The published declarations leave `openWith` out. */
interface OpensWithClock<Options, Opened> {
  openWith(options: Options, internals: { readonly clock?: Clock }): Promise<Opened>;
}

const opener = <Options, Opened>(opens: unknown) => opens as OpensWithClock<Options, Opened>;

export const openBroadcaster = (options: BroadcasterOptions, clock: Clock): Promise<Broadcaster> =>
  opener<BroadcasterOptions, Broadcaster>(Broadcaster).openWith(options, { clock });

export const openReceiver = (options: ReceiverOptions, clock: Clock): Promise<Receiver> =>
  opener<ReceiverOptions, Receiver>(Receiver).openWith(options, { clock });

export const openAccountWithClock = (options: AccountOptions, clock: Clock): Promise<Account> =>
  opener<AccountOptions, Account>(Account).openWith(options, { clock });
