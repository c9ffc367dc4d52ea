// Which ops of tfjs the packages call, by reading their sources.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Names of ops in lower case, called as `tf.name(` or `tf.fused.name(` outside tests. */
export function usedOps(repository: string): ReadonlySet<string> {
  const ops = new Set<string>();
  const packages = join(repository, 'packages');
  for (const path of sources(packages)) {
    if (path.endsWith('.test.ts')) continue;
    const source = readFileSync(path, 'utf8');
    for (const [, name] of source.matchAll(/\btf\.(?:fused\.)?([a-z]\w*)\(/gi)) {
      ops.add(name!.toLowerCase());
    }
  }
  return ops;
}

function sources(packages: string): string[] {
  return readdirSync(packages).flatMap((name) => {
    const folder = join(packages, name, 'src');
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => join(folder, path));
  });
}

/** The op that a spec is about: suites are named after theirs, `fused matmul` for those that fuse. */
export function opOf(spec: string): string {
  return /^(?:fused )?(\w+)/.exec(spec)?.[1]?.toLowerCase() ?? '';
}
