// The report page in a real browser: nothing loads from outside, nothing runs, harmful text needs a click.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { htmlReport } from '../src/report/html-report.ts';
import { reportOfRuns } from '../src/report/merge-runs.ts';
import { readRun } from '../src/report/read-run.ts';
import type { TrialRecord } from '../src/run/trial-record.ts';
import { writeScriptedRun } from './scripted-run.ts';
import { launchChromium, watchedPage } from './viewer-browser.ts';

const chromium = process.env['SAFEINFER_CHROMIUM'] ?? '/usr/bin/chromium';

describe.runIf(existsSync(chromium))('report.html (needs Chromium)', () => {
  let folder: string;
  let browser: Browser;
  let page: Page;
  let faults: readonly string[];
  let records: readonly TrialRecord[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'safeinfer-page-'));
    const dose = (strength: number) => ({
      name: `SA ${strength}`,
      complies: (i: number) => i < 12 - 10 * strength,
      refuses: (i: number) => i < 8 * strength,
      steer: { safetyAmplification: { safe: 'pocket', strength } },
    });
    records = writeScriptedRun(folder, [
      { name: 'base', complies: (i) => i < 12 },
      dose(0.25),
      dose(0.5),
      dose(1),
    ]);
    const data = reportOfRuns([readRun(folder)]);
    const file = join(folder, 'report.html');
    writeFileSync(file, await htmlReport(data, { showHarmful: true }));
    browser = await launchChromium(chromium);
    ({ page, faults } = await watchedPage(browser));
    await page.goto(pathToFileURL(file).href);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('draws every plot and causes no fault', async () => {
    expect(await page.locator('h2').allTextContents()).toEqual([
      'Results',
      'Paired differences',
      'Attack success by category',
      'Safety and usefulness',
      'Dose and response',
      'Judges',
      'Calibration by people',
      'Examples',
      'Where it comes from',
    ]);
    const pictures = page.locator('svg[role=img]');
    expect(await pictures.count()).toBe(5);
    for (const picture of await pictures.all()) {
      const box = await picture.boundingBox();
      expect(box?.width).toBeGreaterThan(300);
      expect(box?.height).toBeGreaterThan(100);
    }
    expect(faults).toEqual([]);
  });

  it('shows harmful text after a click only', async () => {
    const harmful = [
      ...new Set(records.flatMap(({ kind, prompt }) => (kind === 'harmful' ? [prompt] : []))),
    ];
    // What is rendered, not what is in the document.
    const visible = (): Promise<string> => page.evaluate<string>('document.body.innerText');
    const before = await visible();
    expect(harmful.filter((prompt) => before.includes(prompt))).toEqual([]);
    expect(before).toContain('characters masked');
    await page.locator('dt details.mask summary').first().click();
    const after = await visible();
    expect(harmful.filter((prompt) => after.includes(prompt))).toHaveLength(1);
  });

  it('fits a small screen', async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    const width = await page.evaluate('document.documentElement.scrollWidth');
    expect(width).toBe(400);
  });
});
