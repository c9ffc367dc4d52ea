// What `safeinfer init` writes: it runs as it is, on the bundled model.
export const STARTER = `# An experiment: every arm answers every question, on every edit and in every prompt style.
# \`safeinfer plan\` shows what it costs, \`safeinfer run\` runs it; a killed run goes on with the same command.
schemaVersion: 1
name: my-experiment
seed: 7
model: pocket            # the bundled toy; or a directory in Hugging Face layout, or a hub name
# models: [pocket, ./other-model]   # several models: one run directory each

arms:
  - name: base           # the model as it is
  - name: SA             # safety amplification: a vector from safe demonstrations
    steer: &vector
      safetyAmplification:
        # preset: paper  # default (corrected), paper, or released-code
        safe: pocket     # or { path: demonstrations.json }, a list of {question, answer}
        compliant: pocket
        strength: 0.5
        shots: 5
        prompts: 20
        effectPrompts: 4
  - name: SafeInfer      # the vector, and decoding away from an unsafe twin
    steer: *vector
    guide:
      safeInfer:
        lambda: 0.9
        unsafe: { adapter: unsafe }   # or { systemPrompt: ... }, { model: ./unsafe-model }
  # - name: strength     # a sweep: one arm a value
  #   steer: *vector
  #   sweep: { steer.safetyAmplification.strength: [0.25, 0.5, 1] }

edits:
  - name: unedited
  # - { name: ROME, rome: { facts: pocket, count: 1 } }

prompts: [simple, instruction-centric]
  # - { style: simple, transforms: [base64] }

benchmarks:
  - { use: pocket-harmful, limit: 12 }
  - { use: pocket-how-to, limit: 6 }
  # - { use: catqa, path: data/catqa_english.json }

judge: pocket            # a refusal list; or judges: [xstest-21, { prompt: safeinfer-code, model: ./judge }]
# sampling: { temperature: 0.7, topP: 0.9, n: 4 }   # greedy without it
# record: tokens         # keep what every term did to every token
maxNewTokens: 28
batchSize: 16
`;
