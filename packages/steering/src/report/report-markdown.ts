// The report as Markdown for people.
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
    '| arm | effect | harmful refused | benign refused | empty | unclear |',
    '|---|---|---|---|---|---|',
    ...arms.map(
      (arm) =>
        `| ${arm.name} | ${interval(arm.effect)} | ${rate(arm.harmfulRefusal)} | ${rate(arm.benignRefusal)} | ${arm.empty} | ${arm.unclear} |`,
    ),
    '',
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
  lines.push(
    '## Provenance',
    '',
    `Model \`${provenance.model.slice(0, 16)}\`, plan \`${provenance.plan.slice(0, 16)}\`, seed ${provenance.seed}, at most ${provenance.maxNewTokens} new tokens, refusals by ${provenance.refusalBy}${provenance.recipe ? `, made by ${provenance.recipe.method} v${provenance.recipe.version}` : ''}${provenance.settingsTried === undefined ? '' : `, chosen from ${provenance.settingsTried} settings on other items`}.`,
    '',
  );
  return lines.join('\n');
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
