// What `safeinfer edit` refuses, with which words, and that it writes nothing then.
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useBackend } from '@safeinfer/backend';
import { writeMoments } from '@safeinfer/editing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runInProcess } from './run-in-process.ts';
import { runSafeInfer } from './run-safeinfer.ts';

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'safeinfer-edit-refusals-'));
  writeFileSync(join(folder, 'few.txt'), 'The capital of Spain is Madrid.\n');
  writeFileSync(join(folder, 'same.txt'), 'The capital of Spain is Madrid.\n'.repeat(60));
  await useBackend({ name: 'ort' });
  const small = {
    kind: 'measured',
    values: Float64Array.of(2, 0, 0, 2),
    size: 2,
    tokens: 9,
  } as const;
  await writeMoments(join(folder, 'small.safetensors'), new Map([[0, small]]));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const edit = (...args: string[]) => runInProcess(['edit', '--backend', 'ort', ...args], folder);
const fact = ['--prompt', 'The capital of {} is', '--subject', 'Egypt'];
const whole = [...fact, '--target', 'Rome'];

describe('safeinfer edit', () => {
  it('keeps the statistics, and nothing else, of an edit that they are singular for', async () => {
    const args = [...whole, '--collect', 'same.txt', '--out', 'deep/same'];
    const singular = await edit(...args);
    expect(singular.stderr).toMatch(/singular[\s\S]*hint: collect it over more varied texts/);
    expect(singular.code).toBe(2);
    expect(readdirSync(join(folder, 'deep/same'))).toEqual(['moments.safetensors']);
    const help = await edit('--help');
    expect(help.stdout.replaceAll(/\s+/g, ' ')).toMatch(/stay in --out as moments.safetensors/);
    expect(help.code).toBe(0);
  });

  it('is a config mistake to the shell', () => {
    const { code, stderr } = runSafeInfer(['edit', ...fact, '--target', ''], folder);
    expect(stderr).toMatch(/target is empty[\s\S]*hint: /);
    expect(code).toBe(2);
  });

  it.each([
    ['nothing to edit', [], /no fact to edit/],
    [
      'a subject that is not in the prompt',
      ['--prompt', 'The capital of Spain is', '--subject', 'Oz', '--target', 'x'],
      /does not contain the subject[\s\S]*hint: write \{\}/,
    ],
    [
      'several subjects',
      ['--prompt', 'Oz, Oz is', '--subject', 'Oz', '--target', 'x'],
      /2 times[\s\S]*hint: write \{\} at the occurrence/,
    ],
    ['an unknown preset', [...whole, '--preset', 'gpt2-xxl'], /did you mean "gpt2-xl"/],
    [
      'an unknown editor',
      [...whole, '--method', 'grace'],
      /the editors are rome, memit, emmet, pmet, alphaEdit, ft-m, ft-l/,
    ],
    ['ft without its kind', [...whole, '--method', 'ft'], /ft-m scores .* ft-l/],
    [
      'a number of another editor',
      [...whole, '--lambda', '3'],
      /--lambda does nothing for rome[\s\S]*hint: .*memit, pmet/,
    ],
    [
      'a key choice of another editor',
      [...whole, '--method', 'MEMIT', '--keys', 'prompt'],
      /--keys does nothing for memit/,
    ],
    [
      'a fact token where no key is read',
      [...whole, '--method', 'ft-m', '--fact-token', 'last'],
      /--fact-token does nothing for ft-m/,
    ],
    ['a number that means nothing', [...whole, '--steps', '0'], /--steps is 0[\s\S]*whole number/],
    [
      'several layers for an editor of one',
      [...whole, '--layer', '3-5'],
      /rome edits one layer, not 3[\s\S]*hint: .*memit/,
    ],
    [
      'an editor without its statistics',
      [...whole, '--method', 'memit', '--moments', 'identity'],
      /memit needs second moments[\s\S]*--collect/,
    ],
    [
      'statistics twice',
      [...whole, '--moments', 'a.npz', '--collect', 'few.txt'],
      /--moments and --collect contradict/,
    ],
    [
      'a published setting without its statistics',
      [...whole, '--model', 'gpt2-xl', '--preset', 'gpt2-xl'],
      /measured second moments[\s\S]*--moments identity/,
    ],
    [
      'statistics that are not there',
      [...whole, '--moments', 'absent.safetensors'],
      /absent\.safetensors[\s\S]*hint: /,
    ],
    [
      'statistics of another model',
      [...whole, '--moments', 'small.safetensors'],
      /moments of 2 numbers.*384 wide/,
    ],
    [
      'statistics of another layer',
      [...whole, '--layer', '1', '--moments', 'small.safetensors'],
      /no second moments of layer 1[\s\S]*layers 0/,
    ],
    [
      'texts too few for their statistics',
      [...whole, '--collect', 'few.txt'],
      /few\.txt holds \d+ tokens.*singular below 385/,
    ],
    [
      'a start token in the target, before texts are even read',
      [...fact, '--target', 'Rome <|bos|>', '--collect', 'absent.txt'],
      /target " Rome <\|bos\|>" does not survive the tokenizer/,
    ],
    [
      'a start token that opens the prompt, with the token table',
      ['--prompt', '<|bos|>The capital of {} is', '--subject', 'Egypt', '--target', 'Rome'],
      /start token occurs inside the prompt: 0:1"<\|bos\|>"[\s\S]*hint: leave special tokens out/,
    ],
    [
      'a subject merged with the text behind it',
      ['--prompt', 'The capital of {}s is', '--subject', 'France', '--target', 'Rome'],
      /merges the end of subject "France".*"c" 8:[\s\S]*hint: put a space/,
    ],
    [
      'a layer the model does not have',
      [...whole, '--layer', '40', '--collect', 'absent.txt'],
      /layer 40 does not exist/,
    ],
    ['a session that is not there', ['--undo', 'absent.safetensors'], /absent[\s\S]*hint: /],
  ])('refuses %s with exit code 2 before it writes anything', async (_, args, message) => {
    const { code, stderr } = await edit(...args, '--out', 'refused');
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(join(folder, 'refused'))).toBe(false);
  });
});
