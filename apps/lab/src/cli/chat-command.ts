// `safeinfer chat`: a conversation with one arm in the terminal; Ctrl-C stops an answer, at the prompt it leaves.
import { createInterface } from 'node:readline/promises';
import { SafeInferError } from '@safeinfer/backend';
import { type Command, InvalidArgumentError } from 'commander';
import { chooseBackend } from '../model/choose-backend.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { createChatSession } from '../serve/chat-session.ts';
import { loadGuard, PLAIN } from '../serve/guard-config.ts';
import { openArms } from '../serve/served-arms.ts';

interface ChatFlags {
  readonly model: string;
  readonly guard?: string;
  readonly arm?: string;
  readonly maxNewTokens: number;
  readonly temperature?: number;
  readonly seed: number;
  readonly mask: boolean;
  readonly backend?: string;
}

export function registerChatCommand(program: Command, signal: AbortSignal): void {
  program
    .command('chat')
    .description('talk to a model in the terminal, with or without its guards')
    .option('--model <path>', 'model directory, hub name or "pocket"', 'pocket')
    .option('--guard <file>', 'YAML file of arms, as for serve')
    .option('--arm <name>', 'the arm that answers first (default: the file’s)')
    .option('--max-new-tokens <n>', 'length of an answer', wholeNumber, 256)
    .option('--temperature <t>', 'default: the arm’s, else 0', nonNegative)
    .option('--seed <n>', 'of the draws', wholeNumber, 0)
    .option('--mask', 'show only the beginning of answers', false)
    .option('--backend <name>', 'compute backend (default: the best that works here)')
    .action((flags: ChatFlags) => chatCommand({ flags, signal }));
}

async function chatCommand(options: {
  readonly flags: ChatFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { flags, signal } = options;
  const guard = flags.guard === undefined ? PLAIN : loadGuard(flags.guard);
  const first = flags.arm ?? guard.default;
  if (!guard.arms.some(({ name }) => name === first)) {
    throw new SafeInferError(`no arm is called "${first}"`, {
      code: 'BAD_CONFIG',
      hint: `the guard has: ${guard.arms.map(({ name }) => name).join(', ')}`,
    });
  }
  const backend = await chooseBackend({ backend: flags.backend });
  const progress = createProgressLine();
  using arms = await openArms({
    model: flags.model,
    guard,
    backend: backend.name,
    signal,
    onProgress: (update) => progress.update(update),
  }).finally(() => progress.end());
  const session = createChatSession({
    arms: arms.arms,
    first,
    maxNewTokens: flags.maxNewTokens,
    temperature: flags.temperature,
    seed: flags.seed,
    mask: flags.mask,
    write: (text) => process.stdout.write(text),
  });
  const live = process.stdin.isTTY === true;
  const lines = createInterface({ input: process.stdin, output: process.stdout, terminal: live });
  let answering: AbortController | undefined;
  const interrupt = (): void => {
    if (answering === undefined) lines.close();
    else answering.abort();
  };
  // In a terminal readline gets Ctrl-C itself; elsewhere it is the process's signal.
  lines.on('SIGINT', interrupt);
  signal.addEventListener('abort', interrupt);
  if (live) process.stdout.write(`${arms.modelId} on ${backend.name}; /help lists the commands\n`);
  const prompt = (): void => {
    lines.setPrompt(live ? `${session.arm}> ` : '');
    lines.prompt();
  };
  prompt();
  for await (const line of lines) {
    answering = new AbortController();
    const goOn = await session.line(line, answering.signal);
    answering = undefined;
    if (!goOn || signal.aborted) break;
    prompt();
  }
  lines.close();
  if (signal.aborted) {
    throw new SafeInferError('interrupted', { code: 'ABORTED', hint: 'nothing is wrong' });
  }
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('not a whole number');
}

function nonNegative(text: string): number {
  const value = Number(text);
  if (text !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('not a number of at least 0');
}
