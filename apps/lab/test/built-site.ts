// The viewer's pages, built when they are missing or older than their sources.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const viewer = fileURLToPath(new URL('../../viewer', import.meta.url));
const site = join(viewer, 'dist/site');

export async function ensureBuiltSite(): Promise<void> {
  mkdirSync(dirname(site), { recursive: true });
  const lock = `${site}.lock`;
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      // Left over from a killed test: a build takes a second or two.
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > 60_000) rmSync(lock, { recursive: true, force: true });
      await sleep(200);
    }
  }
  try {
    if (!isStale()) return;
    const fresh = `${site}.fresh`;
    const vite = join(viewer, 'node_modules/vite/bin/vite.js');
    const args = [vite, 'build', '--outDir', fresh, '--logLevel', 'error'];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: viewer, encoding: 'utf8' });
    if (status !== 0) throw new Error(`vite build failed: ${stderr}`);
    rmSync(site, { recursive: true, force: true });
    renameSync(fresh, site);
  } finally {
    rmdirSync(lock);
  }
}

function isStale(): boolean {
  const built = join(site, 'assets/app.js');
  if (!existsSync(built)) return true;
  const since = statSync(built).mtimeMs;
  const sources = readdirSync(join(viewer, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.includes('.test.'))
    .map((entry) => join(entry.parentPath, entry.name));
  return [...sources, join(viewer, 'index.html'), join(viewer, 'vite.config.ts')].some(
    (file) => statSync(file).mtimeMs > since,
  );
}
