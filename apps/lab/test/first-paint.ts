// When a page of the viewer is first painted, and when its items are there, by the browser's own clock.
import type { Browser } from 'playwright-core';
import { watchedPage } from './viewer-browser.ts';

export interface FirstPaint {
  /** Milliseconds from the start of the navigation to the first paint with content. */
  readonly contentful: number;
  /** Milliseconds until the first page of items has arrived and is shown. */
  readonly items: number;
}

/** Opens a list of items in a fresh profile: nothing is cached. */
export async function firstPaint(browser: Browser, url: string): Promise<FirstPaint> {
  const { page } = await watchedPage(browser);
  await page.goto(url);
  await page.locator('.viewport .question').first().waitFor();
  const at = (entry: string): Promise<number> =>
    page.evaluate<number>(`performance.getEntriesByName('${entry}')[0]?.startTime ?? Number.NaN`);
  const times = { contentful: await at('first-contentful-paint'), items: await at('items-shown') };
  await page.context().close();
  return times;
}
