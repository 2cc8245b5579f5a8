/** Eight random hex digits. `crypto.randomUUID` exists in secure contexts only; this works over plain HTTP too. */
export function randomHex(): string {
  const [word = 0] = crypto.getRandomValues(new Uint32Array(1));
  return word.toString(16).padStart(8, "0");
}
