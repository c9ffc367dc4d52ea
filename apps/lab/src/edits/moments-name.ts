// Name of the file in a run directory that keeps statistics collected from texts: one for each texts and layers.
import { contentHash } from '@safeinfer/harmeval';
import type { EditSettings } from '../edit/edit-settings.ts';

export function momentsName({ statistics, layers }: EditSettings): string {
  return `moments-${contentHash({ statistics, layers }).slice(0, 12)}.safetensors`;
}
