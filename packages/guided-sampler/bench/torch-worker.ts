// Talks to torch_guided.py, one JSON line a command.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export class TorchWorker implements Disposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>) {
    this.#child = child;
    this.#lines = lines;
  }

  /** Starts the Python named by SAFEINFER_BENCH_PYTHON; undefined when the variable is not set. */
  static async start(
    threads: number,
  ): Promise<{ worker: TorchWorker; hello: unknown } | undefined> {
    const python = process.env['SAFEINFER_BENCH_PYTHON'];
    if (python === undefined) return undefined;
    const script = fileURLToPath(new URL('torch_guided.py', import.meta.url));
    const child = spawn(python, [script, String(threads)], { stdio: ['pipe', 'pipe', 'ignore'] });
    await once(child, 'spawn');
    if (child.stdout === null) throw new Error('no standard output');
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const worker = new TorchWorker(child, lines);
    return { worker, hello: JSON.parse((await lines.next()).value as string) };
  }

  async ask(
    command: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, unknown>>> {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('the PyTorch process ended');
    return JSON.parse(value as string) as Readonly<Record<string, unknown>>;
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}
