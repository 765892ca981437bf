import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Identity of the process that has a store, as it is written into the store. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When the process started, in clock ticks since boot; undefined where /proc does not tell. */
  readonly startTicks?: string;
  /**
   * Boot id and pid namespace on Linux, else the host's name. Processes of one place can see each
   * other.
   */
  readonly place: string;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * Finds this process's place. A container has its own pid namespace: its process 7 is not the
 * host's.
 */
function ownPlace(): string {
  const bootId = readText('/proc/sys/kernel/random/boot_id');
  try {
    if (bootId !== undefined) return `${bootId} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // No namespace can be read: the host's name is the place.
  }
  return hostname();
}

/**
 * Reads the fields behind the name in /proc/PID/stat.
 *
 * The name is in parentheses, and may hold any characters, ")" too.
 */
function statFields(pid: number): readonly string[] | undefined {
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}
const STATE_FIELD = 0;
const START_TICKS_FIELD = 19;

export function ownIdentity(): ProcessIdentity {
  const startTicks = statFields(process.pid)?.[START_TICKS_FIELD];
  return { pid: process.pid, place: ownPlace(), ...(startTicks !== undefined && { startTicks }) };
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: the process exists, and is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Finds whether the process still runs, as far as can be known.
 *
 * @returns undefined for a process of another place, and for a pid that is in use where nothing
 *   says by which process.
 */
export function isRunning({ pid, startTicks, place }: ProcessIdentity): boolean | undefined {
  if (place !== ownPlace()) return undefined;
  if (!pidExists(pid)) return false;
  const fields = statFields(pid);
  if (startTicks === undefined || fields === undefined) return undefined;
  // A process that was killed, but not yet waited for by its parent (Z), does not run.
  if (fields[STATE_FIELD] === 'Z' || fields[STATE_FIELD] === 'X') return false;
  return fields[START_TICKS_FIELD] === startTicks;
}
