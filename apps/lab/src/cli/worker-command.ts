// `safeinfer worker`: makes answers for runs that other processes and machines started with --queue.
import type { Command } from 'commander';
import { positiveInteger } from './positive-integer.ts';

export function registerWorkerCommand(program: Command, signal: AbortSignal): void {
  program
    .command('worker')
    .description(
      'make answers for runs that were started with --queue; Ctrl-C finishes the unit in hand',
    )
    .requiredOption('--queue <url>', 'redis://host:port')
    .option('--lock <ms>', 'time after which a silent worker is taken for dead', positiveInteger)
    .action(async (flags: { readonly queue: string; readonly lock?: number }) => {
      process.stderr.write(`waiting for units at ${flags.queue}\n`);
      // Its client of Redis takes longer to load than most commands take to start.
      const { runRedisWorker } = await import('../queue/redis-worker.ts');
      await runRedisWorker({
        url: flags.queue,
        lockMs: flags.lock,
        signal,
        onUnit: (done) => process.stderr.write(`${done} units done\n`),
      });
    });
}
