/** A row of a table, or its head. */
export function row(...[name, ...cells]) {
  return (name.padEnd(42) + cells.map((cell) => String(cell).padStart(14)).join('')).trimEnd();
}

/** Empty where there is no figure. */
export const fixed = (value, digits) => (value === undefined ? '' : value.toFixed(digits));

export const megabytes = (bytes) => fixed(bytes / 1e6, 1);
