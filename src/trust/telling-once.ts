/** Never rejects. A failure is told once, until it is another one or is over. */
export function tellingOnce(pass: () => Promise<void>, tell: (error: unknown) => void): () => Promise<void> {
  let told: string | null = null;
  return async () => {
    try {
      await pass();
      told = null;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (told !== reason) tell(error);
      told = reason;
    }
  };
}
