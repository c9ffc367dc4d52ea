// The viewer in a real headless Chromium: every page, by keyboard, masked, within its policy, and fast.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { exportSite } from '../src/view/export-site.ts';
import { serveView, type ViewServer } from '../src/view/serve-view.ts';
import { ensureBuiltSite } from './built-site.ts';
import { findChromium } from './find-chromium.ts';
import { writeSyntheticRun } from './synthetic-run.ts';
import { addressesOf, launchChromium, watchedPage } from './viewer-browser.ts';

const executable = findChromium();
const title = executable
  ? 'the viewer in Chromium'
  : 'the viewer in Chromium is not tested: no chromium on PATH (apt-get install chromium, or set SAFEINFER_CHROMIUM)';
const pictures = fileURLToPath(new URL('../../../artifacts/viewer', import.meta.url));

describe.runIf(executable)(title, () => {
  let root: string;
  let runs: string;
  let server: ViewServer;
  let browser: Browser;
  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'view-browser-'));
    runs = join(root, 'runs');
    mkdirSync(pictures, { recursive: true });
    await ensureBuiltSite();
    await writeSyntheticRun(join(runs, 'small'), {
      items: 240,
      edits: ['unedited', 'ROME'],
      styles: ['simple', 'instruction-centric'],
      withTokens: 20,
    });
    server = await serveView({ directory: runs });
    browser = await launchChromium(executable ?? '');
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    if (root) rmSync(root, { recursive: true, force: true });
  });

  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
  });

  const open = async (hash: string, base = server.url) => {
    const watched = await watchedPage(browser);
    await watched.page.goto(`${base}${hash}`);
    return watched;
  };
  const bodyText = (page: Page): Promise<string | null> => page.locator('main').textContent();
  /** What each page shows once it has its data. */
  const READY: Readonly<Record<string, string>> = {
    runs: 'table.runs a',
    overview: 'table.plain tbody tr',
    cells: 'table.cells td a',
    items: '.viewport .question',
    item: 'article.answer',
    tokens: 'button.token',
    heads: 'table.map td',
    traces: 'table.map td',
    queue: 'article.queued',
  };

  for (const [name, hash] of Object.entries(addressesOf('small'))) {
    it(`shows ${name} in both colour schemes without a fault`, async () => {
      const { page, faults } = await open(hash);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        await page.locator(READY[name]!).first().waitFor();
        await page.screenshot({ path: join(pictures, `${name}-${colorScheme}.png`) });
      }
      expect(faults).toEqual([]);
      expect(await page.locator('[role=alert]').count()).toBe(0);
    });
  }

  it('would notice an inline script: the policy refuses it and the watch sees it', async () => {
    const { page, faults } = await open('#/');
    await page.evaluate(`{
      const script = document.createElement('script');
      script.textContent = 'globalThis.intruded = true';
      document.head.append(script);
    }`);
    await expect.poll(() => faults.join()).toContain('csp: script-src');
    expect(await page.evaluate(`'intruded' in globalThis`)).toBe(false);
  });

  it('goes by keyboard alone from the list of runs to the tokens of an answer', async () => {
    const { page, faults } = await open('#/');
    await page.locator('table.runs a').waitFor();
    const focused = (): Promise<string> =>
      page.evaluate<string>(`document.activeElement?.textContent?.trim() ?? ''`);
    const tabTo = async (wanted: RegExp): Promise<void> => {
      for (let i = 0; i < 40 && !wanted.test(await focused()); i += 1)
        await page.keyboard.press('Tab');
      expect(await focused()).toMatch(wanted);
    };
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to content');
    await tabTo(/^small$/);
    await page.keyboard.press('Enter');
    await tabTo(/^Items$/);
    await page.keyboard.press('Enter');
    await page.locator('.viewport .question').first().waitFor();
    for (let i = 0; i < 40; i += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(`document.activeElement?.classList.contains('viewport')`)) break;
    }
    await page.keyboard.press('ArrowDown');
    const list = page.locator('.viewport');
    expect(await list.getAttribute('aria-activedescendant')).toBe('row-1');
    expect(
      await page.evaluate<string>(
        `getComputedStyle(document.querySelector('.viewport')).outlineStyle`,
      ),
    ).not.toBe('none');
    await page.keyboard.press('Enter');
    await page.locator('article.answer').first().waitFor();
    expect(page.url()).toContain('id=item-1');
    await tabTo(/^Token by token$/);
    await page.keyboard.press('Enter');
    await page.locator('button.token').first().waitFor();
    for (let i = 0; i < 40; i += 1) {
      await page.keyboard.press('Tab');
      if (await page.evaluate(`document.activeElement?.classList.contains('token')`)) break;
    }
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('.panel h3').textContent()).toContain('Token 3');
    expect(await page.locator('button.token[tabindex="0"]').count()).toBe(1);
    // The place is in the address: a reload comes back to it.
    expect(page.url()).toContain('token=2');
    await page.reload();
    await page.locator('.panel h3').waitFor();
    expect(await page.locator('.panel h3').textContent()).toContain('Token 3');
    expect(faults).toEqual([]);
  });

  it('moves in the cell grid by arrows and leads to the items of a cell', async () => {
    const { page } = await open('#/run/small/cells');
    await page.locator('table.cells td a').first().focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    const label = await page.evaluate<string>(`document.activeElement?.getAttribute('aria-label')`);
    expect(label).toMatch(/^unedited, instruction-centric, placeholder-harmful, SA: /);
    const n = Number(/(\d+)\.\d \[/.exec(label)?.[1]);
    expect(n).toBeGreaterThan(0);
    await page.keyboard.press('Enter');
    await page.locator('.viewport .question').first().waitFor();
    expect(
      await page.evaluate(`[...document.querySelectorAll('select')].map((select) => select.value)`),
    ).toEqual([
      'unedited',
      'SA',
      'complied',
      'instruction-centric',
      'placeholder-harmful',
      '',
      'harmful',
      '',
    ]);
  });

  it('colours tokens by the chosen term and shows alternatives on hover and on focus', async () => {
    const { page } = await open(`${addressesOf('small')['tokens']}&term=unsafe`);
    const tokens = page.locator('button.token');
    await tokens.first().waitFor();
    const colours = (): Promise<string[]> =>
      page.evaluate<string[]>(
        `[...document.querySelectorAll('button.token')].map((token) => getComputedStyle(token).backgroundColor)`,
      );
    const unsafe = await colours();
    expect(new Set(unsafe).size).toBeGreaterThan(1);
    await page.getByRole('radio', { name: 'steering' }).check();
    expect(await colours()).not.toEqual(unsafe);
    expect(page.url()).toContain('term=steering');
    await tokens.nth(3).hover();
    expect(await page.locator('.panel h3').textContent()).toContain('Token 4');
    await page.mouse.move(2, 2);
    await tokens.nth(1).focus();
    expect(await page.locator('.panel h3').textContent()).toContain('Token 2');
    expect(await page.locator('.panel table.bars').nth(1).locator('tr').count()).toBe(2);
  });

  it('hides harmful text until asked, again after the page is left, and keeps nothing', async () => {
    const { page } = await open(
      '#/run/small/item?benchmark=placeholder-harmful&style=simple&id=item-1',
    );
    await page.locator('article.answer').first().waitFor();
    expect(await bodyText(page)).not.toContain('Placeholder question 1:');
    await page.getByRole('button', { name: 'Show this item' }).click();
    await expect.poll(() => bodyText(page)).toContain('Placeholder question 1:');
    await page.getByRole('button', { name: 'Hide this item' }).click();
    await expect.poll(() => bodyText(page)).not.toContain('Placeholder question 1:');
    await page.keyboard.press('m');
    await expect.poll(() => bodyText(page)).toContain('Placeholder question 1:');
    await page.getByRole('link', { name: 'Items' }).first().click();
    await page.locator('.viewport .question').first().waitFor();
    expect(await bodyText(page)).not.toContain('Placeholder question 1:');
    await page.goBack();
    await page.locator('article.answer').first().waitFor();
    await page.waitForTimeout(200);
    expect(await bodyText(page)).not.toContain('Placeholder question 1:');
    const kept = await page.evaluate(
      `[localStorage.length, sessionStorage.length, document.cookie]`,
    );
    expect(kept).toEqual([0, 0, '']);
  });

  it('masks the texts of tokens and keeps their colours', async () => {
    const { page } = await open(addressesOf('small')['tokens']!);
    await page.locator('button.token').first().waitFor();
    const text = await page.locator('.tokens').textContent();
    expect(text?.replaceAll(/[▒\s]/g, '')).toBe('');
    expect(await page.content()).not.toContain('declined');
    await page.keyboard.press('m');
    await expect.poll(() => page.locator('.tokens').textContent()).toContain('Placeholder');
  });

  it('labels by key, writes the label, and undoes by the next label', async () => {
    const { page, faults } = await open('#/run/small/queue');
    const count = page.locator('[data-labelled]');
    await page.locator('article.queued').waitFor();
    const labelled = (): Promise<string | null> => count.getAttribute('data-labelled');
    expect(await page.locator('article.queued').textContent()).not.toMatch(/SafeInfer|sGDS/);
    await page.keyboard.press('2');
    await expect.poll(labelled).toBe('1');
    await page.keyboard.press('1');
    await expect.poll(labelled).toBe('2');
    await page.keyboard.press('u');
    await expect.poll(() => page.locator('article.queued').textContent()).toContain('again:');
    await page.keyboard.press('3');
    await expect.poll(() => page.locator('article.queued').textContent()).not.toContain('again:');
    expect(await labelled()).toBe('2');
    const lines = readFileSync(join(runs, 'small/labels.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { key: object; label: string });
    expect(lines.map(({ label }) => label)).toEqual(['complied', 'refused', 'other']);
    expect(lines[2]?.key).toEqual(lines[1]?.key);
    expect(faults).toEqual([]);
  });

  it('filters and searches, and keeps both in the address', async () => {
    const { page } = await open('#/run/small/items');
    const total = page.locator('[data-total]');
    await total.waitFor();
    await page.getByLabel('Search').fill('question 17:');
    await expect.poll(() => total.getAttribute('data-total')).toBe('2');
    await page.getByLabel('style').selectOption('simple');
    await expect.poll(() => total.getAttribute('data-total')).toBe('1');
    await page.reload();
    await total.waitFor();
    expect(await total.getAttribute('data-total')).toBe('1');
    expect(await page.getByLabel('Search').inputValue()).toBe('question 17:');
  });

  it('shows live progress, and the results as soon as they are written', async () => {
    const { page } = await open('#/run/live/overview');
    await page.getByRole('alert').waitFor();
    mkdirSync(join(runs, 'live'));
    const progress = (done: number) =>
      writeFileSync(
        join(runs, 'live/progress.json'),
        JSON.stringify({ phase: 'generate', done, total: 90, asr: 0.25 }),
      );
    progress(30);
    await expect.poll(() => bodyText(page), { timeout: 10_000 }).toContain('30 of 90');
    progress(60);
    await expect.poll(() => bodyText(page), { timeout: 5000 }).toContain('60 of 90');
    await writeSyntheticRun(join(runs, 'live'), { items: 30 });
    await expect
      .poll(() => page.locator('table.plain tbody tr').count(), { timeout: 5000 })
      .toBe(4);
    rmSync(join(runs, 'live'), { recursive: true });
  });

  it('works as exported files from file://, without harmful text unless it was included', async () => {
    for (const showHarmful of [false, true]) {
      const target = await exportSite({
        directory: runs,
        target: join(root, `site-${showHarmful}`),
        showHarmful,
        signal: new AbortController().signal,
        onProgress: () => undefined,
      });
      const base = `${pathToFileURL(join(target, 'index.html'))}`;
      const { page, faults } = await open('', base);
      for (const [name, hash] of Object.entries(addressesOf('small'))) {
        await page.goto(`${base}${hash}`);
        await page.locator(READY[name]!).first().waitFor();
        if (name === 'item') {
          expect(await bodyText(page)).not.toContain('Placeholder question 1:');
          await page.keyboard.press('m');
          if (showHarmful) {
            await expect.poll(() => bodyText(page)).toContain('Placeholder question 1:');
          } else {
            expect(await bodyText(page)).toContain('made without harmful text');
          }
        }
        if (name === 'items') {
          await page.getByLabel('Search').fill('item-17');
          // Ids go up to item-119 in each of the two styles.
          await expect
            .poll(() => page.locator('[data-total]').getAttribute('data-total'))
            .toBe('2');
        }
      }
      expect(faults).toEqual([]);
    }
    const masked = readFileSync(join(root, 'site-false/data/run-0/trials-0.js'), 'utf8');
    expect(masked).not.toContain('refusal 1 of arm');
    expect(readFileSync(join(root, 'site-true/data/run-0/trials-0.js'), 'utf8')).toContain(
      'refusal 1 of arm',
    );
  });
});
