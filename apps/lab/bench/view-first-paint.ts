// Measures the viewer on a run of 10,000 items: first paint with content, and first items, cold and warm.
// From the root: pnpm tsx --conditions=@safeinfer/source apps/lab/bench/view-first-paint.ts
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveView } from '../src/view/serve-view.ts';
import { ensureBuiltSite } from '../test/built-site.ts';
import { findChromium } from '../test/find-chromium.ts';
import { firstPaint } from '../test/first-paint.ts';
import { writeSyntheticRun } from '../test/synthetic-run.ts';
import { launchChromium } from '../test/viewer-browser.ts';

const executable = findChromium();
if (executable === undefined) throw new Error('no chromium on PATH; SAFEINFER_CHROMIUM names one');
const root = mkdtempSync(join(tmpdir(), 'view-bench-'));
try {
  await ensureBuiltSite();
  await writeSyntheticRun(join(root, 'run'), { items: 10_000 });
  const server = await serveView({ directory: root });
  const browser = await launchChromium(executable);
  for (const name of ['cold server', 'warm', 'warm', 'warm', 'warm']) {
    const { contentful, items } = await firstPaint(browser, `${server.url}#/run/run/items`);
    process.stdout.write(
      `${name}: first paint ${contentful.toFixed(0)} ms, items shown ${items.toFixed(0)} ms\n`,
    );
  }
  await browser.close();
  await server.close();
} finally {
  rmSync(root, { recursive: true, force: true });
}
