// The report as Markdown for people.
import { isRandom } from './paired-tests.ts';
import type { Interval } from './statistics.ts';
import type { SteeringReport } from './steering-report.ts';

/** A whole report; the JSON form is the report itself. */
export function reportMarkdown(report: SteeringReport): string {
  const { effect, arms, damage, gates, provenance } = report;
  const gate = (value: boolean | null): string =>
    value === null ? 'not measured' : value ? 'pass' : 'fail';
  const lines = [
    '# Steering report',
    '',
    `**${report.verdict}**: controllability ${gate(gates.controllability)}, utility ${gate(gates.utility)}, robustness ${gate(gates.robustness)}.`,
    '',
    '## Effect',
    '',
    `Mean change of logit(target) - logit(opposed): ${interval(effect.mean)} over ${effect.perItem.length} items; ${percent(effect.antiSteerable)} of them moved the wrong way. The mean rises between ${percent(effect.monotonicity)} of neighbouring doses.`,
    '',
    '## Arms',
    '',
    '| arm | effect | harmful complied with (ASR) | harmful refused | benign refused | benign correct | empty | unclear |',
    '|---|---|---|---|---|---|---|---|',
    ...arms.map(
      (arm) =>
        `| ${arm.name} | ${interval(arm.effect)} | ${rate(arm.harmfulAnswered)} | ${rate(arm.harmfulRefusal)} | ${rate(arm.benignRefusal)} | ${rate(arm.benignCorrect)} | ${arm.empty} | ${arm.unclear} |`,
    ),
    '',
    ...pairedLines(report),
    ...(report.attacks
      ? [
          `Refused inside an attack: ${rate(report.attacks.plain)} plain, ${rate(report.attacks.steered)} steered.`,
          '',
        ]
      : []),
  ];
  if (damage) {
    const pair = ({
      plain,
      steered,
    }: {
      readonly plain: number;
      readonly steered: number;
    }): string => `${number(plain)} -> ${number(steered)}`;
    lines.push(
      '## Damage on harmless prompts (plain -> steered)',
      '',
      `- KL to the plain model, nats a token: mean ${number(damage.kl.mean)}, p95 ${number(damage.kl.p95)}, max ${number(damage.kl.max)}`,
      ...(damage.perplexity ? [`- perplexity of fixed text: ${pair(damage.perplexity)}`] : []),
      `- distinct bigrams: ${pair(damage.distinctBigrams)}`,
      `- longest repeat, tokens: ${pair(damage.longestRepeat)}`,
      `- length, tokens: ${pair(damage.length)}; ended by itself: ${pair(damage.stopped)}`,
      `- answers in another script: ${percent(damage.language.changed)} of ${damage.language.compared}`,
      ...(damage.capability
        ? [
            `- multiple choice: ${rate(damage.capability.plain)} -> ${rate(damage.capability.steered)}, McNemar p = ${number(damage.capability.mcNemar)}`,
          ]
        : []),
      '',
    );
  }
  if (report.preflight.length > 0) {
    lines.push('## Pre-flight', '', ...report.preflight.map((f) => `- ${f.level}: ${f.text}`), '');
  }
  lines.push('## Provenance', '', ...provenanceLines(provenance), '');
  return lines.join('\n');
}

/** Steering against the arms that chance and a prompt give, measure by measure. */
function pairedLines({ paired, arms }: SteeringReport): string[] {
  const shown = paired.filter(({ against }) => !/^(flipped|strength 0)$/.test(against));
  if (shown.length === 0) return [];
  const best = arms
    .filter(isRandom)
    .sort((a, b) => (b.harmfulRefusal?.value ?? 0) - (a.harmfulRefusal?.value ?? 0))[0];
  const verdict = shown.find(
    ({ against, on }) => against === best?.name && on === 'harmful refused',
  );
  return [
    'Steered against the other arms, item by item (exact McNemar, Holm over the random vectors):',
    '',
    '| against | on | only steered | only the other | p | p, Holm |',
    '|---|---|---|---|---|---|',
    ...shown.map(
      (test) =>
        `| ${test.against} | ${test.on} | ${test.onlySteered} | ${test.onlyOther} | ${number(test.p)} | ${test.holm === undefined ? '-' : number(test.holm)} |`,
    ),
    '',
    ...(best && verdict
      ? [
          `Best random vector on harmful requests: ${best.name}, ${rate(best.harmfulRefusal)} refused; Holm-corrected p of the difference ${number(verdict.holm ?? verdict.p)}.`,
          '',
        ]
      : []),
  ];
}

function provenanceLines(provenance: SteeringReport['provenance']): string[] {
  const { model, plan, recipe, settingsTried, command, data, items } = provenance;
  const short = (hash: string): string => `\`${hash.slice(0, 16)}\``;
  return [
    `- model ${short(model)}${provenance.tokenizer ? `, tokenizer ${short(provenance.tokenizer)}` : ''}${provenance.template ? `, chat template ${short(provenance.template)}` : ''}`,
    `- plan \`${plan.slice(0, 16)}\`${recipe ? `, made by ${recipe.method} v${recipe.version}${recipe.seed === undefined ? '' : `, seed ${recipe.seed}`}` : ''}`,
    ...(recipe?.settings
      ? [
          `- settings: ${Object.entries(recipe.settings)
            .map(([name, value]) => `${name} ${value}`)
            .join(', ')}`,
        ]
      : []),
    `- data: ${Object.entries(data)
      .map(([name, hash]) => `${items[name]} ${name} ${short(hash)}`)
      .join(', ')}`,
    `- seed ${provenance.seed}, greedy, at most ${provenance.maxNewTokens} new tokens, refusals by ${provenance.refusalBy}${settingsTried === undefined ? '' : `, chosen from ${settingsTried} settings on other items`}`,
    `- @safeinfer/steering ${provenance.steering}, tfjs ${provenance.tfjs} on ${provenance.backend}, Node ${provenance.node}, fp32`,
    ...(command ? [`- command: \`${command}\``] : []),
  ];
}

function number(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : 'n/a';
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)}%`;
}

function interval({ value, low, high }: Interval): string {
  return `${number(value)} [${number(low)}, ${number(high)}]`;
}

function rate(value: Interval | undefined): string {
  if (!value) return '-';
  return `${percent(value.value)} [${percent(value.low)}, ${percent(value.high)}]`;
}
