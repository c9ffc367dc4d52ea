// A file of second moments is read once: by the check before a run, whose result the edits use.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import { type MeasuredMoment, writeMoments } from '@safeinfer/editing';
import { createRandomModel, randomConfig } from '@safeinfer/transformer';
import { expect, it } from 'vitest';
import { editSettings } from './edit-settings.ts';
import { checkStatistics, statisticsOf } from './edit-statistics.ts';
import { createMomentFiles } from './moment-files.ts';

it('uses what the check has read, even when the file is gone by then', async () => {
  await useBackend({ name: 'cpu' });
  const folder = mkdtempSync(join(tmpdir(), 'safeinfer-moments-'));
  const path = join(folder, 'moments.safetensors');
  using model = createRandomModel({
    seed: 1,
    config: randomConfig({ dModel: 4, nHeads: 1, nLayers: 2, vocabSize: 8 }),
  });
  const size = model.config.dMlp;
  const moment = (scale: number): MeasuredMoment => ({
    kind: 'measured',
    size,
    tokens: 10,
    values: Float64Array.from({ length: size * size }, (_, i) => (i % (size + 1) ? 0 : scale)),
  });
  const momentFiles = createMomentFiles();
  const settings = editSettings({
    ...{ method: 'memit', model: 'tiny', facts: 1, layers: [0, 1], moments: path, words: 'flags' },
    numbers: { lambda: 3 },
  });
  try {
    await writeMoments(path, new Map([0, 1].map((layer) => [layer, moment(layer + 1)])));
    await checkStatistics({ settings, model, momentFiles });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const statistics = statisticsOf({
    model,
    modelSha256: '',
    momentFiles,
    checkpoint: () => path,
    signal: new AbortController().signal,
    onProgress: () => undefined,
  });
  const { moments } = await statistics({ settings, subjects: [] });
  expect([...moments!].map(([layer, { values }]) => [layer, values[0]])).toEqual([
    [0, 1],
    [1, 2],
  ]);
  // The control: nobody has read it for another run.
  await expect(
    checkStatistics({ settings, model, momentFiles: createMomentFiles() }),
  ).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
