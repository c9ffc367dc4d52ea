import { expect, it } from 'vitest';
import { checkSize } from './webgpu-guard.ts';

it('refuses a tensor by its bytes, and names the limit', () => {
  const info = { dataId: {}, shape: [50_257, 768], dtype: 'float32' } as const;
  expect(() => checkSize({ ...info, shape: [...info.shape] }, 2 ** 28)).not.toThrow();
  expect(() => checkSize({ ...info, shape: [...info.shape] }, 2 ** 27)).toThrowError(
    expect.objectContaining({
      code: 'ALLOCATION_LIMIT',
      message: expect.stringContaining('134217728'),
    }),
  );
});
