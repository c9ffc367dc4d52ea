// `safeinfer finetune`: trains an adapter or a model from one file; interrupted runs go on with --resume.
import { relative, resolve } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import type { TrainProgress } from '@safeinfer/finetune';
import { resolveModel, type Tokenizer, type Transformer } from '@safeinfer/transformer';
import type { FinetuneConfig } from '../finetune/finetune-schema.ts';
import { loadFinetuneConfig } from '../finetune/load-finetune-config.ts';
import {
  checkCheckpoint,
  checkpointDirectory,
  type FinetuneOutcome,
  readFinetuneRows,
  runFinetune,
} from '../finetune/run-finetune.ts';
import { chooseBackend } from '../model/choose-backend.ts';
import { openModel } from '../model/open-model.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { openRunDirectory, type RunDirectory } from '../run/run-directory.ts';
import { flagsText } from './flags-text.ts';
import { version } from './version.ts';

export interface FinetuneFlags {
  readonly model?: string;
  readonly out?: string;
  readonly backend?: string;
  readonly threads?: number;
  readonly resume: boolean;
  readonly restart: boolean;
  readonly json: boolean;
}

export async function finetuneCommand(options: {
  readonly config: string;
  readonly flags: FinetuneFlags;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { flags, signal } = options;
  const configFile = resolve(options.config);
  if (flags.resume && flags.restart) {
    throw new SafeInferError('--resume and --restart contradict each other', {
      code: 'BAD_ARGUMENT',
      hint: 'give one of them',
    });
  }
  const loaded = loadFinetuneConfig(options.config);
  const config = flags.model === undefined ? loaded : { ...loaded, model: flags.model };
  const rows = readFinetuneRows(config, configFile);
  const directory = openRunDirectory(flags.out ?? `runs/finetune/${config.name}`);
  await checkCheckpoint(directory, flags);
  const backend = await chooseBackend({ backend: flags.backend, threads: flags.threads });
  using base = await openBase(config, signal);
  writeProvenance({ directory, config, backend: backend.name, sha256: base.sha256 });
  const progress = createProgressLine();
  let outcome: FinetuneOutcome;
  try {
    outcome = await runFinetune({
      config,
      configFile,
      rows,
      model: base.model,
      modelDirectory: base.directory,
      directory,
      restart: flags.restart,
      signal,
      onProgress: (event) => report(event, progress, options.config),
    });
  } catch (error) {
    progress.end();
    if (SafeInferError.isInstance(error) && error.code === 'ABORTED') {
      const place = relative('.', checkpointDirectory(directory));
      // What a resumed run needs again, to find the same run.
      const { out, model, backend: name, threads } = flags;
      process.stderr.write(
        `stopped; what was trained is in ${place}: go on with ` +
          `safeinfer finetune ${options.config} --resume${flagsText({ out, model, backend: name, threads })}\n`,
      );
    }
    throw error;
  }
  progress.end();
  process.stdout.write(flags.json ? jsonSummary(outcome) : textSummary(outcome));
}

function report(
  event: TrainProgress,
  progress: ReturnType<typeof createProgressLine>,
  config: string,
): void {
  if (event.kind === 'resumed') {
    progress.update({ phase: 'train', done: event.step, total: event.steps });
    process.stderr.write(`${config}: goes on after step ${event.step} of ${event.steps}\n`);
    return;
  }
  if (event.kind !== 'step') return;
  progress.update({
    phase: 'train',
    done: event.step,
    total: event.steps,
    note: `loss ${event.loss.toFixed(4)} · ${event.tokensPerSecond.toFixed(0)} tokens/s`,
  });
}

interface Base extends Disposable {
  readonly model: Transformer<Tokenizer>;
  readonly directory: string;
  readonly sha256: string;
}

/** A hub name becomes its directory first, which decides what is hashed and whose tokenizer is copied. */
async function openBase(config: FinetuneConfig, signal: AbortSignal): Promise<Base> {
  const name = config.model === 'pocket' ? 'pocket' : await resolveModel(config.model, { signal });
  const opened = await openModel({ name, signal });
  return { ...opened, model: opened.model as Transformer<Tokenizer> };
}

function writeProvenance(facts: {
  readonly directory: RunDirectory;
  readonly config: FinetuneConfig;
  readonly backend: string;
  readonly sha256: string;
}): void {
  const { directory, config, backend, sha256 } = facts;
  const record = {
    schema: 1,
    what: 'finetune',
    config,
    provenance: {
      safeinferVersion: version,
      node: process.versions.node,
      backend,
      model: { name: config.model, sha256 },
    },
  };
  directory.write('finetune.json', `${JSON.stringify(record, null, 2)}\n`);
}

function jsonSummary({ output, record, examples, evaluationBefore }: FinetuneOutcome): string {
  const { steps, tokens, loss, evaluations, resumedAt } = record;
  return `${JSON.stringify({
    output,
    examples,
    steps,
    tokens,
    firstLoss: loss[0],
    lastLoss: loss.at(-1),
    evaluationBefore,
    evaluations,
    resumedAt,
  })}\n`;
}

function textSummary({ output, record, examples, evaluationBefore }: FinetuneOutcome): string {
  const { steps, tokens, loss, evaluations } = record;
  const shown = (value: number | undefined): string => value?.toFixed(4) ?? '-';
  const lines = [
    `${steps} steps over ${examples} examples, ${tokens} tokens; loss ${shown(loss[0])} -> ${shown(loss.at(-1))}`,
    ...(evaluationBefore === undefined
      ? []
      : [`held-out loss ${shown(evaluationBefore)} -> ${shown(evaluations.at(-1)?.loss)}`]),
    `written: ${relative('.', output)}`,
  ];
  return `${lines.join('\n')}\n`;
}
