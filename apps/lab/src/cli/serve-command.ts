// `safeinfer serve`: a model with its guards behind an OpenAI-compatible address, until SIGTERM or Ctrl-C.
import { SafeInferError } from '@safeinfer/backend';
import { type Command, InvalidArgumentError } from 'commander';
import { chooseBackend } from '../model/choose-backend.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { readBearerKeys } from '../serve/bearer-keys.ts';
import { loadGuard, PLAIN } from '../serve/guard-config.ts';
import { openArms } from '../serve/served-arms.ts';
import { isLoopback, startServer } from '../serve/start-server.ts';
import { openStore } from '../store/open-store.ts';
import { positiveInteger } from './positive-integer.ts';

interface ServeFlags {
  readonly model: string;
  readonly guard?: string;
  readonly host: string;
  readonly port: number;
  readonly apiKeyFile?: string;
  readonly insecure: boolean;
  readonly maxRows: number;
  readonly maxQueue: number;
  readonly cacheMb: number;
  readonly maxBodyKb: number;
  readonly timeout: number;
  readonly drain: number;
  readonly backend?: string;
  readonly threads?: number;
  readonly store?: string;
  readonly quiet: boolean;
}

export function registerServeCommand(program: Command, signal: AbortSignal): void {
  program
    .command('serve')
    .description('serve a model and its guards to clients of the OpenAI API')
    .option('--model <path>', 'model directory, hub name or "pocket"', 'pocket')
    .option('--guard <file>', 'YAML file of arms; each is a model id and a choice of requests')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <n>', 'port to listen on; 0 for any free one', upTo(65_535), 8080)
    .option('--api-key-file <file>', 'bearer keys, one a line')
    .option('--insecure', 'allow an address beyond loopback without keys', false)
    .option(
      '--max-rows <n>',
      'rows of a pass: answers times the terms of their arm',
      positiveInteger,
      128,
    )
    .option('--max-queue <n>', 'requests that wait for room before others get 429', upTo(1e6), 256)
    .option('--cache-mb <n>', 'memory for keys and values', positiveInteger, 1024)
    .option('--max-body-kb <n>', 'largest request body', positiveInteger, 1024)
    .option('--timeout <seconds>', 'longest answer', positiveInteger, 300)
    .option(
      '--drain <seconds>',
      'how long running answers may go on after SIGTERM',
      positiveInteger,
      30,
    )
    .option('--backend <name>', 'compute backend (default: the best that works here)')
    .option('--threads <n>', 'threads of the backend', positiveInteger)
    .option('--store <file>', 'keeps steering vectors, so that the next start is fast')
    .option('--quiet', 'no line a request on stderr', false)
    .action((flags: ServeFlags) => serveCommand({ flags, signal }));
}

async function serveCommand(options: {
  readonly flags: ServeFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { flags } = options;
  const guard = flags.guard === undefined ? PLAIN : loadGuard(flags.guard);
  const keys = flags.apiKeyFile === undefined ? undefined : readBearerKeys(flags.apiKeyFile);
  if (!isLoopback(flags.host) && keys === undefined && !flags.insecure) {
    throw new SafeInferError(`${flags.host} can be reached by others and there is no key`, {
      code: 'BAD_CONFIG',
      hint: 'give --api-key-file, or --insecure when something in front of it checks who asks',
    });
  }
  const stop = stopSignal(options.signal);
  const backend = await chooseBackend({ backend: flags.backend, threads: flags.threads });
  using store = flags.store === undefined ? undefined : openStore(flags.store);
  const progress = createProgressLine();
  using arms = await openArms({
    model: flags.model,
    guard,
    backend: backend.name,
    store,
    signal: stop,
    onProgress: (update) => progress.update(update),
  }).finally(() => progress.end());
  const server = await startServer({
    arms,
    host: flags.host,
    port: flags.port,
    keys,
    maxRows: flags.maxRows,
    maxQueue: flags.maxQueue,
    cacheMegabytes: flags.cacheMb,
    maxBodyBytes: flags.maxBodyKb * 1024,
    timeoutSeconds: flags.timeout,
    log: flags.quiet ? () => {} : (line) => process.stderr.write(`${JSON.stringify(line)}\n`),
  });
  const ids = Object.keys(arms.models).join(', ');
  process.stdout.write(`${server.url}/v1\nmodels: ${ids}\nbackend: ${backend.name}\n`);
  if (!stop.aborted) {
    await new Promise<void>((done) => stop.addEventListener('abort', () => done(), { once: true }));
  }
  process.stderr.write('draining\n');
  await server.drain(flags.drain);
}

/** Fires at the first SIGTERM or interrupt; a second one does not wait. */
function stopSignal(interrupted: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const stop = (): void => {
    if (controller.signal.aborted) process.exit(1);
    controller.abort(new Error('asked to stop'));
  };
  process.on('SIGTERM', stop);
  if (interrupted.aborted) stop();
  interrupted.addEventListener('abort', stop);
  return controller.signal;
}

function upTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= 0 && value <= most) return value;
    throw new InvalidArgumentError(`not a whole number from 0 to ${most}`);
  };
}
