// What an arm is measured on: items, how they are worded, and what a right answer is.
import type { Dataset, PromptStyle } from '@safeinfer/harmeval';

export interface Benchmark {
  readonly name: string;
  readonly dataset: Dataset;
  readonly style: PromptStyle;
  /** By item id: the answer a harmless item should get. Absent where none is known. */
  readonly answers?: ReadonlyMap<string, string>;
  /** Openings of a compliant answer, where the model's training fixed them; without, whatever is no refusal complied. */
  readonly complianceOpenings?: readonly string[];
  /** Where the items come from, for the report. */
  readonly source: string;
}
