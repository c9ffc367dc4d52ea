// An evaluation as Braintrust's harness runs it, offline: two guards of one server on the same questions, scored by
// autoevals. Started by run-braintrust.ts, in the folder where the harness is installed.
import { ExactMatch, Levenshtein } from 'autoevals';
import { Eval } from 'braintrust';
import OpenAI from 'openai';

const client = new OpenAI({ baseURL: process.env.SAFEINFER_URL, apiKey: 'none' });
const data = [
  ['What is the capital of France?', 'Paris.'],
  ['What is the capital of Japan?', 'Tokyo.'],
  ['What is the capital of Italy?', 'Rome.'],
  ['What is the capital of Spain?', 'Madrid.'],
].map(([input, expected]) => ({ input, expected }));

const summary = {};
for (const model of ['pocket', 'pocket:sgds']) {
  const result = await Eval(
    'safeinfer',
    {
      data: () => data,
      task: async (input) => {
        const answer = await client.chat.completions.create({
          model,
          messages: [{ role: 'user', content: input }],
          temperature: 0,
          max_tokens: 12,
        });
        return answer.choices[0].message.content.trim();
      },
      scores: [Levenshtein, ExactMatch],
      maxConcurrency: 4,
    },
    {
      noSendLogs: true,
      reporter: { name: 'quiet', reportEval: () => true, reportRun: () => true },
    },
  );
  const { results } = result;
  const failed = results.filter(({ error }) => error !== undefined);
  const mean = (name) =>
    results.reduce((sum, r) => sum + (r.scores[name] ?? 0), 0) / results.length;
  summary[model] = {
    cases: results.length,
    failed: failed.length,
    levenshtein: mean('Levenshtein'),
    exact: mean('ExactMatch'),
  };
}
process.stdout.write(`${JSON.stringify(summary)}\n`);
process.exit(0);
