// What reading activations costs: a plain pass, one that keeps every residual, and one with an unused hook.
// Run: pnpm tsx --conditions=@safeinfer/source packages/transformer/bench/capture-cost.ts [backend]
import { type BackendName, useBackend } from '@safeinfer/backend';
import type { HookName } from '../src/hooks/hook-name.ts';
import type { Intervention } from '../src/hooks/intervention.ts';
import { createRandomModel } from '../src/model/create-random-model.ts';
import type { ForwardOptions } from '../src/model/forward-options.ts';

const name = (process.argv[2] ?? 'ort') as BackendName;
await useBackend({ name });
const config = { vocabSize: 4096, dModel: 512, nLayers: 8, nHeads: 8, nKvHeads: 4, dMlp: 1376 };
using model = createRandomModel({ config, seed: 1 });
const tokens = Array.from({ length: 128 }, (_, i) => (i * 17) % config.vocabSize);
const residuals = Array.from(
  { length: config.nLayers },
  (_, layer): HookName => `blocks.${layer}.hook_resid_post`,
);
const unused: Intervention = {
  at: 'blocks.3.hook_resid_post',
  op: 'add',
  vector: new Float32Array(512),
  scale: 0,
};

const settings: Record<string, { options?: ForwardOptions; interventions?: Intervention[] }> = {
  plain: {},
  'every residual kept': { options: { capture: residuals } },
  'a hook without effect': { interventions: [unused] },
};

async function once(setting: (typeof settings)[string]): Promise<number> {
  const start = process.cpuUsage();
  const row = { tokens, interventions: setting.interventions ?? [] };
  using result = model.forward([row], setting.options);
  await result.lastLogits().data();
  const used = process.cpuUsage(start);
  return (used.user + used.system) / 1000;
}

// Interleaved, so that drift of the machine hits every setting alike; processor time, so that other load does not.
const times = new Map(Object.keys(settings).map((key) => [key, [] as number[]]));
for (let round = 0; round < 24; round++) {
  for (const [key, setting] of Object.entries(settings)) {
    const time = await once(setting);
    if (round >= 4) times.get(key)?.push(time);
  }
}
const median = (values: number[]): number =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
const plain = median(times.get('plain') as number[]);
for (const [key, values] of times) {
  const own = median(values);
  console.log(`${name}  ${key.padEnd(24)} ${own.toFixed(1)} ms  ${(own / plain).toFixed(3)}x`);
}
process.exit(0);
