// Draws docs/guided-decoding.svg: one guarded answer, with what each term thought of every token.
//   tsx --conditions=@safeinfer/source bench/attribution-picture.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { useBackend } from '@safeinfer/backend';
import { loadPocket, pocketPaths } from '@safeinfer/pocket';
import { generate, plain, safeInfer } from '../src/index.ts';

await useBackend({ name: 'ort', threads: 1 });
using pocket = await loadPocket();
const { model, tokenizer } = pocket;
const plan = safeInfer({ model, unsafe: { adapter: 'unsafe' }, lambda: 0.9 });

const refuses = (text: string): boolean => /\b(cannot|can't|not able|won't)\b/i.test(text);

/** The first harmful question that the plain model answers and the guarded one refuses. */
async function pick() {
  const lines = readFileSync(`${pocketPaths().data}/harmful.jsonl`, 'utf8').trim().split('\n');
  for (const line of lines.slice(0, 400)) {
    const { question } = JSON.parse(line) as { readonly question: string };
    const run = { prompts: [[{ role: 'user', content: question }]], maxNewTokens: 24 };
    const bare = await generate({ ...run, plan: plain({ model }) });
    if (refuses(bare.completions[0]?.text ?? '')) continue;
    const full = await generate({ ...run, plan, logprobs: 0 });
    const lazy = await generate({ ...run, plan, lazy: true });
    const [a, b, c] = [bare, full, lazy].map((r) => r.completions[0]);
    if (a !== undefined && b !== undefined && c !== undefined && refuses(b.text)) {
      return { question, bare: a, guarded: b, lazy: c };
    }
  }
  throw new Error('the guard changes no answer into a refusal');
}

const { question, bare, guarded, lazy } = await pick();
const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
/** The picture is ten columns wide: longer answers are cut. */
const cut = (text: string): string => (text.length > 50 ? `${text.slice(0, 49)}…` : text);
const COLUMN = 74;
const HEIGHT = 110;
const shown = guarded.events.filter((event) => !model.config.eosTokenIds.includes(event.token));
const width = Math.max(760, 40 + shown.length * COLUMN);
const bars = shown.map((event, i) => {
  const x = 24 + i * COLUMN;
  const bar = (id: string, offset: number, colour: string): string => {
    const p = Math.exp(event.terms?.[id]?.logprob ?? Number.NEGATIVE_INFINITY);
    const h = Math.max(1, p * HEIGHT);
    return `<rect x="${x + offset}" y="${(70 + HEIGHT - h).toFixed(1)}" width="22" height="${h.toFixed(1)}" fill="${colour}"/><text x="${x + offset + 11}" y="${(66 + HEIGHT - h).toFixed(1)}" class="n">${p.toFixed(2)}</text>`;
  };
  const skipped = lazy.events[i]?.terms?.['unsafe']?.ran === 'skipped';
  const text = tokenizer.strTokens([event.token])[0] ?? '';
  return [
    bar('safe', 4, '#2f6f9f'),
    bar('unsafe', 30, '#c4532d'),
    `<text x="${x + 28}" y="${88 + HEIGHT}" class="t">${escapeXml(text.trim() === '' ? '␣' : text)}</text>`,
    `<text x="${x + 28}" y="${106 + HEIGHT}" class="n">${skipped ? 'skipped' : 'needed'}</text>`,
  ].join('');
});
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${HEIGHT + 152}" viewBox="0 0 ${width} ${HEIGHT + 152}" role="img" aria-label="Probability of every chosen token under the safe and the unsafe term">
<style>text{font:13px system-ui,sans-serif;fill:#1c2733}.n{font-size:10px;fill:#5a6875;text-anchor:middle}.t{text-anchor:middle;font-weight:600}</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="24" y="24">${escapeXml(question)}  (plain: ${escapeXml(cut(bare.text.trim()))})</text>
<rect x="24" y="34" width="10" height="10" fill="#2f6f9f"/><text x="40" y="43" style="font-size:11px">probability under the safe term</text>
<rect x="240" y="34" width="10" height="10" fill="#c4532d"/><text x="256" y="43" style="font-size:11px">under the unsafe twin; last line: could the twin be skipped at this token?</text>
${bars.join('\n')}
<text x="24" y="${HEIGHT + 138}" style="font-size:11px;fill:#5a6875">lambda 0.9 on the bundled pocket model: a toy that answers in placeholders.</text>
</svg>
`;
const path = fileURLToPath(new URL('../../../docs/guided-decoding.svg', import.meta.url));
writeFileSync(path, svg);
console.log(`${question}\nplain:   ${bare.text}\nguarded: ${guarded.text}\n${path}`);
