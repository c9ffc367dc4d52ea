// A measuring process, driven by lines of JSON; at real-time priority while it measures, where asked for.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Answer, Command, Hello } from './protocol.ts';

/** A first answer may take the building of a model; more means that something hangs. */
const ANSWER_LIMIT_MS = 10 * 60_000;

export class Subject {
  readonly hello: Hello;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #realtime: boolean;

  private constructor(parts: {
    readonly hello: Hello;
    readonly child: ChildProcess;
    readonly lines: AsyncIterator<string>;
    readonly realtime: boolean;
  }) {
    this.hello = parts.hello;
    this.#child = parts.child;
    this.#lines = parts.lines;
    this.#realtime = parts.realtime;
  }

  /** Starts a process; undefined, with the reason printed, when it cannot start here. */
  static async start(options: {
    readonly command: string;
    readonly args: readonly string[];
    readonly realtime: boolean;
    /** Set besides the environment of this process. */
    readonly env: Readonly<Record<string, string>>;
  }): Promise<Subject | undefined> {
    const { command, args, realtime } = options;
    const env = { ...process.env, ...options.env };
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env });
    let complaint = '';
    child.stderr.on('data', (data) => {
      complaint = `${complaint}${data}`.slice(-2000);
    });
    child.once('error', (error) => {
      complaint = error.message;
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done) {
      console.log(`skipped ${args.at(-1)}: ${complaint.trim().split('\n').at(-1)}`);
      return undefined;
    }
    return new Subject({ hello: JSON.parse(first.value) as Hello, child, lines, realtime });
  }

  /** Sends a command and waits for its answer. */
  async ask(command: Command, measured: boolean): Promise<Answer> {
    const raised = measured && this.#realtime;
    if (raised) this.#schedule('-f', 1);
    try {
      this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
      const line = await Promise.race([this.#lines.next(), limit()]);
      if (line === 'late' || line.done) return { value: Number.NaN, error: 'no answer' };
      return JSON.parse(line.value) as Answer;
    } finally {
      if (raised) this.#schedule('-o', 0);
    }
  }

  stop(): void {
    this.#child.stdin?.end();
    this.#child.kill();
  }

  /** Every thread of the process, so that both sides of a pool get the cores. */
  #schedule(policy: string, priority: number): void {
    spawnSync('chrt', ['-a', policy, '-p', String(priority), String(this.#child.pid)]);
  }
}

function limit(): Promise<'late'> {
  return new Promise((done) => {
    setTimeout(() => done('late'), ANSWER_LIMIT_MS).unref();
  });
}
