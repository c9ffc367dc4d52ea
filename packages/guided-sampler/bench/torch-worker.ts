// Talks to torch_guided.py, one JSON line a command.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

type Answer = Readonly<Record<string, unknown>>;

export class TorchWorker implements Disposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** What the process said first: versions. */
  readonly hello: Answer;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>, hello: Answer) {
    this.#child = child;
    this.#lines = lines;
    this.hello = hello;
  }

  /**
   * Starts the Python of the virtual environment that SAFEINFER_PARITY_VENV names (tools/parity/setup.sh makes it).
   * Undefined when the variable is not set, which the caller must say.
   */
  static async start(): Promise<TorchWorker | undefined> {
    const venv = process.env['SAFEINFER_PARITY_VENV'];
    if (venv === undefined) return undefined;
    const script = fileURLToPath(new URL('torch_guided.py', import.meta.url));
    const child = spawn(join(venv, 'bin', 'python'), [script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child, 'spawn');
    if (child.stdout === null) throw new Error('no standard output');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return new TorchWorker(child, lines, await answer(lines));
  }

  ask(command: Answer): Promise<Answer> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    return answer(this.#lines);
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

async function answer(lines: AsyncIterator<string>): Promise<Answer> {
  const { value, done } = await lines.next();
  if (done === true) throw new Error('the PyTorch process ended; its error is above');
  return JSON.parse(value as string) as Answer;
}
