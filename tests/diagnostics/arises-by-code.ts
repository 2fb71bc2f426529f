export const arisesByCode: ReadonlyMap<string, () => Promise<readonly string[]> | readonly string[]> = new Map();
