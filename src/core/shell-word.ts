/** Text from outside in a command that is told to be run: a shell must take it as one word. */

/** As it is where no shell would read anything into it, else in single quotes. */
export function shellWord(text: string): string {
  return /^[\w.:@%+=/,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
