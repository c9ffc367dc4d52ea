// A prompt style from its parts: wording, transforms, turns or demonstrations before the question, system prompt.
import {
  asRawText,
  type Demonstrations,
  HarmEvalError,
  multiTurnStyle,
  type PromptStyle,
  paperStyles,
  placeholderShots,
  plainStyle,
  refusalShots,
  transforms,
  turnScripts,
  withDemonstrations,
  withSystemPrompt,
  withTransforms,
} from '@safeinfer/harmeval';
import { loadDemonstrations } from '../arms/demonstrations.ts';
import { systemPromptOf } from '../arms/system-prompt.ts';
import { nearestName } from '../config/nearest-name.ts';
import type { PromptConfig } from '../config/prompt-schema.ts';

/** The wording alone, as the bundled sets' own items have it. */
export function wordingOf(prompt: PromptConfig): string {
  return typeof prompt === 'string' ? prompt : prompt.style;
}

/**
 * `ownWording`: the items carry the style's wording already, as the bundled model's do.
 * @throws HarmEvalError BAD_ARGUMENT for an unknown part, with the nearest known name
 */
export function composeStyle(options: {
  readonly prompt: PromptConfig;
  readonly ownWording: boolean;
  readonly experimentFile: string;
}): PromptStyle {
  const { prompt, ownWording, experimentFile } = options;
  const wording = wordingOf(prompt);
  let style: PromptStyle = ownWording
    ? { ...plainStyle, id: wording }
    : named(paperStyles, wording, 'prompt style');
  if (typeof prompt === 'string') return style;
  const { transforms: chain = [], script, demonstrations, systemPrompt, raw, name } = prompt;
  style = withTransforms(
    style,
    chain.map((id) => named(transforms, id, 'transform')),
  );
  if (script !== undefined) style = multiTurnStyle(style, named(turnScripts, script, 'script'));
  if (demonstrations) {
    style = withDemonstrations(
      style,
      demonstrationsOf(demonstrations.use, experimentFile),
      demonstrations.shots,
    );
  }
  if (systemPrompt !== undefined) style = withSystemPrompt(style, systemPromptOf(systemPrompt));
  if (raw) style = asRawText(style);
  return name === undefined ? style : { ...style, id: name };
}

function named<T>(known: Readonly<Record<string, T>>, name: string, what: string): T {
  const found = Object.hasOwn(known, name) ? known[name] : undefined;
  if (found !== undefined) return found;
  const near = nearestName(name, Object.keys(known));
  throw new HarmEvalError(`no ${what} "${name}"`, {
    code: 'BAD_ARGUMENT',
    hint: `${near === undefined ? '' : `did you mean "${near}"? `}use one of: ${Object.keys(known).join(', ')}`,
  });
}

type DemonstrationUse = NonNullable<
  Extract<PromptConfig, { readonly style: string }>['demonstrations']
>['use'];

function demonstrationsOf(use: DemonstrationUse, experimentFile: string): Demonstrations {
  if (use === 'placeholder') return placeholderShots;
  if (use === 'refusal') return refusalShots;
  const behaviour = use === 'pocket-comply' ? 'comply' : 'refuse';
  const source = typeof use === 'object' ? use : 'pocket';
  const pairs = loadDemonstrations({ source, behaviour, relativeTo: experimentFile });
  return { id: typeof use === 'object' ? 'file' : use, pairs };
}
