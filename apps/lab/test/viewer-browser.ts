// A headless Chromium page that notes everything the viewer must never cause: script errors and refused loads.
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

export interface WatchedPage {
  readonly page: Page;
  /** Script errors, failed requests and violations of the content security policy, in words. */
  readonly faults: string[];
}

export function launchChromium(executablePath: string): Promise<Browser> {
  // Inside containers there are no user namespaces for the sandbox; only our own pages are opened.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

export async function watchedPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 850 }, ...options });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    // A page that is left behind takes its requests with it.
    const reason = request.failure()?.errorText ?? '';
    if (reason !== 'net::ERR_ABORTED') faults.push(`request: ${request.url()} ${reason}`);
  });
  await page.addInitScript(`addEventListener('securitypolicyviolation', (event) => {
    console.error('csp: ' + event.violatedDirective + ' ' + event.blockedURI);
  })`);
  return { page, faults };
}

/** Every page of a run by the name of its screenshot, given a run that `writeSyntheticRun` wrote. */
export function addressesOf(run: string): Readonly<Record<string, string>> {
  const item = 'benchmark=placeholder-harmful&style=simple&id=item-1';
  return {
    runs: '#/',
    overview: `#/run/${run}/overview`,
    cells: `#/run/${run}/cells`,
    items: `#/run/${run}/items`,
    item: `#/run/${run}/item?${item}&at=1`,
    tokens: `#/run/${run}/tokens?${item}&edit=unedited&arm=SafeInfer`,
    heads: `#/run/${run}/heads`,
    traces: `#/run/${run}/traces`,
    queue: `#/run/${run}/queue`,
  };
}
