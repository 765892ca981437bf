// Programs in a pseudo-terminal, which script(1) of util-linux makes: a dependency for it would be
// built from source.
import { spawn, type ChildProcess } from 'node:child_process';

const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;

export class TerminalSession {
  /** All that the terminal showed. */
  text = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #onText: (() => void) | undefined;

  constructor(words: readonly string[], env: NodeJS.ProcessEnv) {
    const command = `stty cols 160 rows 60; exec ${words.map(quote).join(' ')}`;
    this.#child = spawn(
      'script',
      ['--quiet', '--flush', '--return', '--command', command, '/dev/null'],
      {
        env: { ...process.env, TERM: 'xterm', ...env },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
      this.#onText?.();
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', resolve);
    });
    void this.#ended.then(
      () => this.#onText?.(),
      () => this.#onText?.(),
    );
  }

  /** Resolves when the terminal shows the words; rejects when the program ends without. */
  async shows(words: string | RegExp): Promise<void> {
    const ended = this.#ended.then(() => true);
    const isShown = (): boolean =>
      typeof words === 'string' ? this.text.includes(words) : words.test(this.text);
    while (!isShown()) {
      const shown = new Promise<boolean>((resolve) => (this.#onText = () => resolve(false)));
      const isOver = await Promise.race([shown, ended]);
      if (isOver && !isShown()) throw new Error(`it ended without '${words}': ${this.text}`);
    }
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Presses Ctrl-C: the terminal sends SIGINT to the program in its foreground. */
  interrupt(): void {
    this.type('\x03');
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Exit code of the program. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }
}
