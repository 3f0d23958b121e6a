export async function noOp(): Promise<void> {
  await Promise.resolve();
}
