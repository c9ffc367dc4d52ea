// `pnpm pocket:train` on a tiny recipe: killed in the middle and run again, it ends in the bytes of a run in one go.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { readLossLog } from './loss-log.ts';

const directory = mkdtempSync(join(tmpdir(), 'pocket-recipe-'));
afterAll(() => rmSync(directory, { recursive: true }));

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const recipe = join(directory, 'recipe.json');
writeFileSync(
  recipe,
  JSON.stringify({
    seed: 3,
    budget: 160,
    every: 3,
    stages: [
      { mix: 'behaviour', documents: 300, until: 7, steps: 30, decayFrom: 20 },
      { mix: 'refusals', documents: 200, until: 14, steps: 14, decayFrom: 9 },
    ],
  }),
);
const config = join(directory, 'config.json');
const bundled = JSON.parse(
  readFileSync(here('../../../../packages/pocket/model/config.json'), 'utf8'),
) as Record<string, unknown>;
writeFileSync(
  config,
  JSON.stringify({
    ...bundled,
    hidden_size: 32,
    intermediate_size: 48,
    head_dim: 4,
    num_hidden_layers: 6,
  }),
);

function start(work: string): ChildProcess {
  const tool = here('../../train-recipe.ts');
  const options = ['--recipe', recipe, '--config', config, '--backend', 'ort', '--threads', '1'];
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=@safeinfer/source', tool, join(directory, work), ...options],
    { stdio: ['ignore', 'pipe', 'inherit'], cwd: here('../../') },
  );
  return child;
}

async function finish(child: ChildProcess): Promise<number | null> {
  child.stdout?.resume();
  const [code] = (await once(child, 'exit')) as [number | null];
  return code;
}

/** Kills the process when the log says that a step of `stage` is done. */
async function killIn(child: ChildProcess, work: string, stage: number): Promise<void> {
  child.stdout?.setEncoding('utf8');
  let said = '';
  for await (const text of child.stdout as AsyncIterable<string>) {
    said += text;
    const own = said.slice(said.indexOf(`"stage":${stage}`));
    if (said.includes(`"stage":${stage}`) && own.includes('"step"')) break;
  }
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  expect(existsSync(join(directory, work, 'ours', 'model'))).toBe(false);
}

const files = (work: string): string[] =>
  readdirSync(join(directory, work, 'ours', 'model')).toSorted();

it('goes on after being killed in either stage', async () => {
  expect(await finish(start('whole'))).toBe(0);
  await killIn(start('parts'), 'parts', 1);
  await killIn(start('parts'), 'parts', 2);
  expect(await finish(start('parts'))).toBe(0);
  expect(files('parts')).toEqual(files('whole'));
  for (const name of files('whole')) {
    const [one, two] = ['whole', 'parts'].map((work) =>
      readFileSync(join(directory, work, 'ours', 'model', name)),
    );
    expect(two?.equals(one as Buffer), name).toBe(true);
  }
  const curve = (work: string) =>
    [1, 2].flatMap((stage) =>
      readLossLog(join(directory, work, 'ours', `stage-${stage}`, 'loss.jsonl')).map(
        ({ step, tokens, loss }) => ({ step, tokens, loss }),
      ),
    );
  expect(curve('parts')).toEqual(curve('whole'));
  expect(curve('whole').map(({ step }) => step)).toEqual([3, 6, 7, 9, 12, 14]);
}, 60_000);
