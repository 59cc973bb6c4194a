/** A row of a table, or its head. */
export function row(...[name, ...cells]) {
  return (name.padEnd(42) + cells.map((cell) => String(cell).padStart(14)).join('')).trimEnd();
}

/** Empty where there is no figure. */
export const fixed = (value, digits) => (value === undefined ? '' : value.toFixed(digits));

export const megabytes = (bytes) => (bytes === undefined ? '' : fixed(bytes / 1e6, 1));

/** Over the cells below. */
export const cpuHeads = ['agent CPU us', 'main thread', 'host CPU us', 'load CPU us'];

/**
 * CPU microseconds a signature, user + system, by process; of the agent's, those of its main thread apart. A loop has the
 * load's place.
 */
export function cpuCells({ agent, main, host, load, loop } = {}) {
  const split = ({ total, system }) => {
    const digits = total >= 1000 ? 0 : 1;
    return `${fixed(total - system, digits)} + ${fixed(system, digits)}`;
  };
  if (loop !== undefined) return ['', '', '', fixed(loop.total, 1)];
  return [agent, main, host, load].map((one) => (one === undefined ? '' : split(one)));
}
