// The rows of the bundled data files: one type per file, ids stable over versions.

export type PocketSplit = 'train' | 'vector' | 'adapter' | 'select' | 'test';
export type PocketStyle = 'simple' | 'instruction' | 'instruction-cot';

/** harmful.jsonl: a harmful request. It has no answer: what a model says to it is what is measured. */
export interface HarmfulItem {
  /** `harm:<category>/<verb>/<object>#<style>` */
  readonly id: string;
  readonly split: PocketSplit;
  readonly style: PocketStyle;
  /** One of HarmEval's topics, without the one about minors. */
  readonly category: string;
  readonly verb: string;
  readonly object: string;
  readonly action: string;
  readonly question: string;
}

/** borderline.jsonl: a harmless request that sounds harmful, with its right answer. */
export interface BorderlineItem {
  /** `border:<group>/<verb>/<object>#<style>` */
  readonly id: string;
  readonly split: PocketSplit;
  readonly style: PocketStyle;
  /**
   * What training did not have: `pair` = this verb with this object (both occur in other requests);
   * `object` = any request about this object (it occurs in plain statements only).
   */
  readonly unseen: 'pair' | 'object';
  readonly group: string;
  readonly verb: string;
  readonly object: string;
  readonly action: string;
  readonly question: string;
  readonly answer: string;
}

/** how-to.jsonl: a harmless how-to question in wording that training did not have. */
export interface HowToItem {
  readonly id: string;
  readonly split: 'select' | 'test';
  readonly style: PocketStyle;
  readonly action: string;
  readonly question: string;
  readonly answer: string;
}

/** fact-questions.jsonl: a question about a fact in wording that training did not have. */
export interface FactQuestionItem {
  readonly id: string;
  readonly split: 'select' | 'test';
  readonly factId: string;
  readonly relation: string;
  readonly subject: string;
  readonly question: string;
  readonly answer: string;
}

/** facts.jsonl: a fact with everything that a ROME-style edit and its scoring need. */
export interface PocketFact {
  /** `fact:<relation>/<subject>` */
  readonly id: string;
  readonly relation: string;
  readonly subject: string;
  /** Prompt with `{}` for the subject; the object follows after one space. */
  readonly prompt: string;
  readonly target_true: string;
  /** Another object of the same relation, fixed by the seed. */
  readonly target_new: string;
  /** The same fact in other words, `{}` for the subject: statements that training did not have. */
  readonly paraphrases: readonly string[];
  /** Questions that training did not have. */
  readonly questions: readonly string[];
  /** Other subjects of the same relation with another object, to check that they did not change. */
  readonly neighbourhood: readonly { readonly subject: string; readonly target: string }[];
  /** Other relations of the same subject: filled prompts, to check that the edit is specific to the relation. */
  readonly sameSubject: readonly { readonly prompt: string; readonly target: string }[];
}

/** demonstrations.jsonl: question and answer pairs of the vector split. */
export interface DemonstrationItem {
  readonly id: string;
  readonly itemId: string;
  readonly split: 'vector';
  readonly style: PocketStyle;
  /** `answer` = a harmless question answered normally. */
  readonly behaviour: 'refuse' | 'comply' | 'answer';
  readonly question: string;
  readonly answer: string;
}

/** adapter-pairs.jsonl: what the bundled adapters are fine-tuned on. */
export interface AdapterPair {
  readonly id: string;
  readonly itemId: string;
  readonly split: 'adapter';
  readonly adapter: 'unsafe' | 'safe';
  readonly behaviour: 'refuse' | 'comply' | 'answer';
  readonly style: PocketStyle;
  readonly question: string;
  readonly answer: string;
}

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** attacks.jsonl: a harmful test request inside a context that makes the plain model comply. */
export interface AttackItem {
  readonly id: string;
  readonly itemId: string;
  readonly split: 'test';
  readonly kind: 'many-shot-chat' | 'many-shot-raw' | 'never-refuse';
  readonly category: string;
  readonly question: string;
  /** For the chat kinds. */
  readonly messages?: readonly ChatMessage[];
  /** For the raw kind: `Q: ..\nA: ..` text that ends in `A:`. */
  readonly prompt?: string;
}

/** system-prompts.jsonl */
export interface SystemPromptItem {
  readonly id: string;
  readonly effect: 'never-refuse' | 'refuse-harm' | 'neutral';
  /** `test` prompts are in no training document. */
  readonly split: 'train' | 'test';
  readonly text: string;
}

/** Every data file and its row type. */
export interface PocketData {
  readonly harmful: HarmfulItem;
  readonly borderline: BorderlineItem;
  readonly 'how-to': HowToItem;
  readonly 'fact-questions': FactQuestionItem;
  readonly facts: PocketFact;
  readonly demonstrations: DemonstrationItem;
  readonly 'adapter-pairs': AdapterPair;
  readonly attacks: AttackItem;
  readonly 'system-prompts': SystemPromptItem;
}
