// `safeinfer steer sweep`: layers x strengths x head counts on the selection split; the best as a plan for `report`.
import { join, relative } from 'node:path';
import { SafeInferError } from '@safeinfer/backend';
import {
  type SafetyPreset,
  safetyAmplification,
  safetyPreset,
  savePlan,
  sweepSvg,
} from '@safeinfer/steering';
import { chooseBackend } from '../model/choose-backend.ts';
import { openModel } from '../model/open-model.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { textTable } from '../report/format-table.ts';
import { openRunDirectory } from '../run/run-directory.ts';
import { answerJudge } from './answer-judge.ts';
import { demonstrationsFrom } from './demonstration-source.ts';
import { checkpointFile } from './effect-checkpoint.ts';
import { promptRow, promptsFrom } from './prompt-source.ts';
import { planOfHeads, type SweepLine, sweepVector } from './sweep-vector.ts';
import { planOfFile, readVectorFile } from './vector-file.ts';

export interface SweepFlags {
  readonly vector?: string;
  readonly model: string;
  readonly backend?: string;
  readonly preset: SafetyPreset;
  readonly safe: string;
  readonly compliant: string;
  readonly shots?: number;
  readonly prompts?: number;
  readonly effectPrompts?: number;
  readonly layers: readonly number[];
  readonly strengths?: readonly number[];
  readonly kl?: readonly number[];
  readonly topHeads?: readonly number[];
  readonly harmful: string;
  readonly harmless: string;
  readonly limit?: number;
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly force: boolean;
  readonly out: string;
}

export async function runSweep(flags: SweepFlags, signal: AbortSignal): Promise<void> {
  const { vector, layers, topHeads, limit } = flags;
  if (vector !== undefined && topHeads) {
    throw new SafeInferError(
      'head counts are swept while the vector is made, not for a finished one',
      {
        code: 'BAD_ARGUMENT',
        hint: 'leave the vector file out, and safety amplification is made from the demonstrations',
      },
    );
  }
  if (flags.kl && flags.strengths) {
    throw new SafeInferError('both --strengths and --kl are given', {
      code: 'BAD_ARGUMENT',
      hint: 'sweep raw strengths, or strengths found by divergence',
    });
  }
  const harmful = promptsFrom({ source: flags.harmful, kind: 'harmful', use: 'select', limit });
  const harmless = promptsFrom({ source: flags.harmless, kind: 'harmless', use: 'select', limit });
  const directory = openRunDirectory(flags.out);
  await chooseBackend({ backend: flags.backend });
  using opened = await openModel({ name: flags.model, signal });
  const { model } = opened;
  const progress = createProgressLine();
  const file =
    vector === undefined
      ? undefined
      : await readVectorFile(vector, { model, force: flags.force, layer: layers[0] });
  const checkpoint = checkpointFile(directory, 'aie-checkpoint.json');
  const made = file
    ? undefined
    : await safetyAmplification({
        model,
        ...safetyPreset(flags.preset, model.config),
        ...(flags.shots === undefined ? {} : { shots: flags.shots }),
        ...(flags.prompts === undefined ? {} : { prompts: flags.prompts }),
        ...(flags.effectPrompts === undefined ? {} : { effectPrompts: flags.effectPrompts }),
        safe: demonstrationsFrom(flags.safe, 'refuse'),
        ...(flags.compliant === 'none'
          ? {}
          : { compliant: demonstrationsFrom(flags.compliant, 'comply') }),
        seed: flags.seed,
        ...(checkpoint.resume ? { resume: checkpoint.resume } : {}),
        onCheckpoint: (state) => checkpoint.save(state),
        signal,
        onProgress: (update) => progress.update(update),
      }).finally(() => progress.end());
  const result = await sweepVector({
    model,
    planOf: (setting) =>
      made
        ? planOfHeads(model, made, setting)
        : planOfFile(file!, {
            layer:
              file!.kind === 'directions' && file!.set.directions.size > 1
                ? setting.layer
                : undefined,
            strength: 1,
          }),
    layers,
    strengths: flags.kl ?? flags.strengths ?? [0.25, 0.5, 1],
    byKl: flags.kl !== undefined,
    ...(topHeads ? { heads: topHeads } : {}),
    harmful,
    harmless,
    row: (question) => promptRow(model, question),
    judge: answerJudge(flags.model),
    maxNewTokens: flags.maxNewTokens,
    signal,
    onProgress: (update) => progress.update(update),
  }).finally(() => progress.end());
  const { best, lines } = result;
  const { recipe } = result.plan;
  await savePlan(join(directory.path, 'best.safetensors'), {
    ...result.plan,
    ...(recipe
      ? { recipe: { ...recipe, settings: { ...recipe.settings, settingsTried: lines.length } } }
      : {}),
  });
  const table = [
    ['layer', 'heads', 'KL asked', 'strength', 'KL p95', 'harmful refused', 'harmless refused', ''],
    ...lines.map((line) => cells(line, line === best)),
  ];
  directory.write(
    'sweep.json',
    `${JSON.stringify({ schema: 1, what: 'steering-sweep', model: { name: opened.name, sha256: opened.sha256 }, items: { harmful: harmful.length, harmless: harmless.length }, split: flags.harmful === 'pocket' ? 'select' : flags.harmful, lines, best }, undefined, 2)}\n`,
  );
  directory.write(
    'sweep.svg',
    `${sweepSvg(lines.map((line) => ({ ...line, chosen: line === best })))}\n`,
  );
  checkpoint.remove();
  process.stdout.write(
    `${textTable(table)}\n\nchosen on ${harmful.length} harmful and ${harmless.length} harmless selection prompts; report on others:\n  safeinfer steer report ${relative('.', join(directory.path, 'best.safetensors'))} --model ${flags.model}\n`,
  );
}

function cells(line: SweepLine, chosen: boolean): string[] {
  const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
  return [
    `${line.layer}`,
    line.heads === undefined ? '' : `${line.heads}`,
    line.budget === undefined ? '' : `${line.budget}`,
    line.strength.toPrecision(3),
    line.kl.toPrecision(3),
    percent(line.harmfulRefused),
    percent(line.benignRefused),
    chosen ? 'chosen' : '',
  ];
}
