// Build options shared by every package: one ESM entry, declarations by oxc, packaging checked while building.
import type { UserConfig } from 'tsdown';

/** Options for a library whose public API is `src/index.ts`; extra entries are added by the caller. */
export function library(extra: UserConfig = {}): UserConfig {
  return {
    entry: ['src/index.ts'],
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    dts: { oxc: true },
    fixedExtension: false,
    publint: { level: 'error' },
    attw: { profile: 'esm-only', level: 'error' },
    ...extra,
  };
}
