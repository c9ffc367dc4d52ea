// `safeinfer view`: the viewer on loopback until Ctrl-C, or as files with --export.
import { statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import { type Command, InvalidArgumentError } from 'commander';
import { createProgressLine } from '../progress/progress-line.ts';
import { exportSite } from '../view/export-site.ts';
import { serveView } from '../view/serve-view.ts';

interface ViewFlags {
  readonly port?: number;
  readonly export?: string;
  readonly showHarmful?: boolean;
}

export function registerViewCommand(program: Command, signal: AbortSignal): void {
  program
    .command('view')
    .description('show runs in a browser, from loopback only, or export them as static files')
    .argument('[directory]', 'a directory of runs, or one run', 'runs')
    .option('--port <n>', 'port to listen on (default: any free one)', portNumber)
    .option('--export <directory>', 'write static files instead of serving')
    .option('--show-harmful', 'with --export: include harmful text, masked until revealed', false)
    .action((directory: string, flags: ViewFlags) => viewCommand({ directory, flags, signal }));
}

async function viewCommand(options: {
  readonly directory: string;
  readonly flags: ViewFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { flags, signal } = options;
  const directory = resolve(options.directory);
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new SafeInferError(`${options.directory} is no directory`, {
      code: 'NOT_FOUND',
      hint: 'name a directory of runs, or one run: safeinfer view runs/demo',
    });
  }
  if (flags.export !== undefined) {
    const progress = createProgressLine();
    const target = await exportSite({
      directory,
      target: flags.export,
      showHarmful: flags.showHarmful ?? false,
      signal,
      onProgress: (done, total) => progress.update({ phase: 'export', done, total }),
    }).finally(() => progress.end());
    process.stdout.write(`${relative('.', target) || '.'}/index.html\n`);
    return;
  }
  const server = await serveView({ directory, port: flags.port });
  process.stdout.write(`${server.url}\nCtrl-C ends it.\n`);
  if (!signal.aborted) {
    await new Promise<void>((done) =>
      signal.addEventListener('abort', () => done(), { once: true }),
    );
  }
  await server.close();
}

function portNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65_535) return value;
  throw new InvalidArgumentError('not a port number between 0 and 65535');
}
