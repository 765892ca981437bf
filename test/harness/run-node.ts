import { spawnSync } from 'node:child_process';

export interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs Node with the arguments in a folder, and waits for its end. */
export function runNode(directory: string, args: readonly string[]): Finished {
  const { status, stdout, stderr, error } = spawnSync(process.execPath, args, {
    cwd: directory,
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  return { exitCode: status, stdout, stderr };
}
