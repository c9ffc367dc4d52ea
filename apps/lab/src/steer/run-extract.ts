// `safeinfer steer extract`: from demonstrations or contrasting prompts to vector files and heads.json.
import { basename, dirname, join, relative } from 'node:path';
import { headHeatMapSvg } from '@safeinfer/steering';
import { chooseBackend } from '../model/choose-backend.ts';
import { openModel } from '../model/open-model.ts';
import { createProgressLine } from '../progress/progress-line.ts';
import { textTable } from '../report/format-table.ts';
import { openRunDirectory } from '../run/run-directory.ts';
import { checkpointFile } from './effect-checkpoint.ts';
import {
  DIRECTION_METHODS,
  type ExtractSettings,
  extractVector,
  hasDirections,
} from './extract-vector.ts';
import { headsFile } from './heads-file.ts';
import { checkOutputs, writeVectorFile } from './vector-file.ts';

export interface ExtractFlags extends ExtractSettings {
  readonly model: string;
  readonly backend?: string;
  readonly out: readonly string[];
}

export async function runExtract(flags: ExtractFlags, signal: AbortSignal): Promise<void> {
  const { method, out, model: name } = flags;
  checkOutputs(out, hasDirections(method, flags.inject));
  const directories = new Map(out.map((path) => [path, openRunDirectory(dirname(path))]));
  const first = out[0]!;
  const directory = directories.get(first)!;
  const checkpoint = checkpointFile(directory, `${basename(first)}.aie-checkpoint.json`);
  await chooseBackend({ backend: flags.backend });
  using opened = await openModel({ name, signal });
  const { model } = opened;
  const progress = createProgressLine();
  if (checkpoint.resume) {
    process.stderr.write(
      `going on after ${checkpoint.resume.prompts} prompts of ${checkpoint.path}\n`,
    );
  }
  const made = await extractVector({
    model,
    settings: flags,
    resume: checkpoint.resume,
    onCheckpoint: (state) => checkpoint.save(state),
    onProgress: (update) => progress.update(update),
    signal,
  }).finally(() => progress.end());
  for (const path of out) {
    await writeVectorFile({
      path,
      plan: made.plan,
      directions: made.directions,
      asDirections: DIRECTION_METHODS.some((own) => own === method),
      modelHint: model.config.family,
    });
  }
  if (made.effects) {
    const heads = headsFile({
      effects: made.effects,
      model: { name: opened.name, sha256: opened.sha256 },
      layers: model.config.nLayers,
      heads: model.config.nHeads,
      chosen: made.heads ?? [],
      prompts: made.effects.prompts,
      seed: flags.seed,
    });
    directory.write('heads.json', `${JSON.stringify(heads, undefined, 2)}\n`);
    directory.write('heads.svg', `${headHeatMapSvg(made.effects)}\n`);
    const { tokenBlocks, naiveTokenBlocks } = made.effects.cost;
    process.stdout.write(
      `${textTable([
        ['layer', 'head', 'indirect effect'],
        ...heads.top.map(({ layer, head, aie }) => [`${layer}`, `${head}`, aie.toPrecision(3)]),
      ])}\n\n${tokenBlocks} token-blocks, ${(naiveTokenBlocks / tokenBlocks).toFixed(1)} times fewer than one forward pass a head\n`,
    );
  }
  checkpoint.remove();
  const written = [...out, ...(made.effects ? [join(dirname(first), 'heads.json')] : [])];
  process.stdout.write(`${written.map((path) => `written: ${relative('.', path)}\n`).join('')}`);
}
