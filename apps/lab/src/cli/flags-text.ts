// Flags as they are typed, to name a command that the user can repeat.

/** ` --name value` for every flag that was given, in this order. */
export function flagsText(flags: Readonly<Record<string, string | number | undefined>>): string {
  return Object.entries(flags)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` --${name} ${value}`)
    .join('');
}
