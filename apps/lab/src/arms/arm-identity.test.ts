import { describe, expect, it } from 'vitest';
import { type ArmIdentityParts, armIdentity } from './arm-identity.ts';

const parts: ArmIdentityParts = {
  modelSha256: 'm',
  backend: 'cpu',
  edit: null,
  arm: {
    name: 'SA',
    steer: {
      safetyAmplification: {
        safe: 'pocket',
        strength: 0.5,
        topHeads: 10,
        shots: 5,
        prompts: 4,
        effectPrompts: 1,
      },
    },
    guide: { safeInfer: { lambda: 0.9, unsafe: { adapter: 'unsafe' } } },
  },
  demonstrations: { safe: [{ question: 'q', answer: 'a' }], compliant: undefined },
  files: {},
  sampling: {},
  record: 'text',
  seed: 1,
  version: '1',
};
const steer = parts.arm.steer!.safetyAmplification!;

describe('the identity of an arm', () => {
  const changed: readonly (readonly [string, Partial<ArmIdentityParts>])[] = [
    ['the model', { modelSha256: 'n' }],
    ['the backend', { backend: 'wasm' }],
    ['the seed of its vector', { seed: 2 }],
    [
      'the strength',
      { arm: { ...parts.arm, steer: { safetyAmplification: { ...steer, strength: 0.6 } } } },
    ],
    [
      'the layer',
      { arm: { ...parts.arm, steer: { safetyAmplification: { ...steer, layer: 1 } } } },
    ],
    [
      'lambda',
      {
        arm: { ...parts.arm, guide: { safeInfer: { lambda: 0.8, unsafe: { adapter: 'unsafe' } } } },
      },
    ],
    [
      'the twin',
      {
        arm: { ...parts.arm, guide: { safeInfer: { lambda: 0.9, unsafe: { systemPrompt: 'x' } } } },
      },
    ],
    ['the weights of the twin', { files: { sources: [{ model: 't' }] } }],
    ['the bytes of a vector', { files: { vector: 'v' } }],
    ['the version of the code', { version: '2' }],
    ['recorded tokens', { record: 'tokens' }],
    ['a temperature', { sampling: { temperature: 0.7 } }],
    ['a penalty', { sampling: { repetitionPenalty: 1.2 } }],
    ['a stop string', { sampling: { stop: ['\n'] } }],
    [
      'where the heads are added',
      {
        arm: { ...parts.arm, steer: { safetyAmplification: { ...steer, inject: 'distributed' } } },
      },
    ],
    [
      'a demonstration',
      { demonstrations: { safe: [{ question: 'q', answer: 'b' }], compliant: undefined } },
    ],
    ['the edit', { edit: { identity: 'x' } }],
  ];

  it.each(changed)('changes with %s', (_, change) => {
    expect(armIdentity({ ...parts, ...change })).not.toBe(armIdentity(parts));
  });

  it('does not change with names', () => {
    const renamed = { ...parts, arm: { ...parts.arm, name: 'x' } };
    expect(armIdentity(renamed)).toBe(armIdentity(parts));
  });

  it('does not change with what a greedy choice cannot see', () => {
    const sampling = { topK: 5, topP: 0.9, minP: 0.1, n: 1, seed: 3 };
    expect(armIdentity({ ...parts, sampling })).toBe(armIdentity(parts));
    const drawn = { temperature: 1 };
    expect(armIdentity({ ...parts, sampling: { ...drawn, topK: 5 } })).not.toBe(
      armIdentity({ ...parts, sampling: drawn }),
    );
  });

  it('of an unsteered arm does not change with the seed', () => {
    const plain = { ...parts, arm: { name: 'base' } };
    expect(armIdentity({ ...plain, seed: 2 })).toBe(armIdentity(plain));
  });
});
