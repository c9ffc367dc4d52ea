// Turns whatever stopped a command into one line, a hint and an exit code.
import { SafeInferError } from '@safeinfer/backend';
import { HarmEvalError } from '@safeinfer/harmeval';
import { ConfigError } from '../errors/config-error.ts';
import { EXIT } from '../errors/exit-code.ts';

/** Writes the reason to stderr and returns the exit code; a stack is shown only for defects of our own. */
export function reportFailure(
  error: unknown,
  stream: NodeJS.WritableStream = process.stderr,
): number {
  if (error instanceof ConfigError) {
    stream.write(`${error.message}\n`);
    return EXIT.config;
  }
  if (SafeInferError.isInstance(error) || HarmEvalError.isInstance(error)) {
    if (error.code === 'ABORTED') {
      stream.write('interrupted\n');
      return EXIT.interrupted;
    }
    stream.write(`error: ${error.message}\n  hint: ${error.hint}\n`);
    return EXIT.config;
  }
  stream.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return 1;
}
