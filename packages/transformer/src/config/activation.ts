// The activation functions a config may name, and which of ours each one is.
import type { ConfigReader } from './config-reader.ts';
import type { Activation } from './model-config.ts';

// The tanh forms differ from each other by less than fp32 noise; erf and tanh differ by 4.7e-4.
const byName: Readonly<Record<string, Activation>> = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_fast: 'gelu_tanh',
  gelu_accurate: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  gelu_python_tanh: 'gelu_tanh',
  quick_gelu: 'quick_gelu',
  silu: 'silu',
  swish: 'silu',
  relu: 'relu',
};

/** Reads an activation by Hugging Face's name. */
export function readActivation(read: ConfigReader, key: string, absent: string): Activation {
  const name = read.text(key, absent);
  if (Object.hasOwn(byName, name)) return byName[name] as Activation;
  return read.fail(key, `is '${name}'; known: ${Object.keys(byName).join(', ')}`);
}

/** The name Hugging Face writes for each of ours. */
export const activationName: Readonly<Record<Activation, string>> = {
  gelu: 'gelu',
  gelu_tanh: 'gelu_pytorch_tanh',
  quick_gelu: 'quick_gelu',
  silu: 'silu',
  relu: 'relu',
};
