/** A row of a table, or its head. */
export function row(...[name, ...cells]) {
  return (name.padEnd(42) + cells.map((cell) => String(cell).padStart(14)).join('')).trimEnd();
}

/** Empty where there is no figure. */
export const fixed = (value, digits) => (value === undefined ? '' : value.toFixed(digits));

export const megabytes = (bytes) => (bytes === undefined ? '' : fixed(bytes / 1e6, 1));

/** Over the cells below. */
export const cpuHeads = ['agent CPU us', 'host CPU us', 'load CPU us'];

/** CPU microseconds a signature, user + system, by process; a loop in C has the load's place. */
export function cpuCells({ agent, host, load, loop } = {}) {
  const split = ({ total, system }) => `${fixed(total - system, 1)} + ${fixed(system, 1)}`;
  if (loop !== undefined) return ['', '', fixed(loop.total, 1)];
  return [agent, host, load].map((one) => (one === undefined ? '' : split(one)));
}
