#!/usr/bin/env node
// The `safeinfer` executable.
import { CommanderError } from 'commander';
import { createProgram } from './cli/program.ts';
import { reportFailure } from './cli/report-failure.ts';
import { EXIT } from './errors/exit-code.ts';

const controller = new AbortController();
let interrupts = 0;
process.on('SIGINT', () => {
  interrupts += 1;
  // The first asks the work to stop between two batches; the second does not wait.
  if (interrupts > 1) process.exit(EXIT.interrupted);
  controller.abort(new Error('SIGINT'));
});

try {
  await createProgram({ signal: controller.signal }).parseAsync();
} catch (error) {
  // Commander has already printed its own message; help and version are not failures.
  process.exitCode =
    error instanceof CommanderError
      ? error.exitCode === 0
        ? EXIT.ok
        : EXIT.config
      : reportFailure(error);
}
