import type { Store } from '../store/store.js';
import type { ExitCode } from './exit-codes.js';
import type { Interrupt } from './interrupt.js';
import type { CommandName } from './command-table.js';
import type { Places } from './places.js';
import type { ConnectedAccount, Link, LinkRequest, Service } from './service.js';
import type { Terminal } from './terminal.js';
import type { Clock } from '../util/clock.js';

/** Command line that was understood. */
export interface CommandLine {
  readonly command: CommandName;
  readonly operands: readonly string[];
  /** Value of an option; undefined where it is not given. */
  readonly text: (name: string) => string | undefined;
  /** Whether a switch is given. */
  readonly has: (name: string) => boolean;
  /**
   * Value of an option as a whole number.
   *
   * @throws CommandError
   */
  readonly integer: (name: string, min: number, max: number) => number | undefined;
}

/** Surroundings of a command that runs. */
export interface CommandContext {
  readonly line: CommandLine;
  readonly terminal: Terminal;
  readonly interrupt: Interrupt;
  readonly places: Places;
  /** As {@link Service.open}. */
  readonly connect: (store: Store) => Promise<ConnectedAccount>;
  /** As {@link Service.link}. */
  readonly link: (request: LinkRequest) => Promise<Link>;
  /** As {@link Service.register}. */
  readonly register: Service['register'];
  readonly clock: Clock;
  /**
   * Opens the store of the places; the caller closes it.
   *
   * @throws CommandError as `assertStore`, and what keeps it from being opened.
   */
  readonly openStore: () => Promise<Store>;
  /** As `openStore`; makes the store where there is none. */
  readonly makeStore: () => Promise<Store>;
  /** @throws CommandError with exit code 1: there is no store in the places. */
  readonly assertStore: () => Promise<void>;
}

export type Command = (context: CommandContext) => Promise<ExitCode>;
