// The bounds of the fuzz tests do see what they are there for.
import { SafeInferError } from '@safeinfer/backend';
import { describe, expect, it } from 'vitest';
import { hostileRun } from './hostile-run.ts';

describe('hostileRun', () => {
  it('fails on a large allocation, on an untyped error and on an error without a hint', async () => {
    let kept: ArrayBuffer | undefined;
    await expect(
      hostileRun(() => {
        kept = new ArrayBuffer(64 * 1024 * 1024);
      }),
    ).rejects.toThrow();
    expect(kept?.byteLength).toBeGreaterThan(0);
    await expect(hostileRun(() => [].at(0)!['x'])).rejects.toThrow(TypeError);
    const bare = new SafeInferError('x', { code: 'BAD_FILE', hint: '' });
    await expect(
      hostileRun(() => {
        throw bare;
      }),
    ).rejects.toThrow();
  });
});
