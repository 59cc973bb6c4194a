import type { CommandEntry, OptionEntry, Value } from './completion-model.ts';

/** A zsh completion function: one \`_arguments\` call a command, for a file \`_agentctl\` in $fpath. */
export function zshScript(model: readonly CommandEntry[]): string {
  const functions = model.map((entry) =>
    entry.commands.length > 0 ? groupFunction(entry) : leafFunction(entry),
  );
  return `#compdef agentctl
# zsh completion for agentctl; made by \`agentctl completion zsh\`
${kids}
${functions.join('\n')}
if [[ "$funcstack[1]" == _agentctl ]]; then
  _agentctl "$@"
else
  compdef _agentctl agentctl
fi
`;
}

function groupFunction(entry: CommandEntry): string {
  const commands = entry.commands.map(
    ({ name, description }) => `    ${quote(`${name}:${escape(description, /[\\:]/g)}`)}`,
  );
  const arms = entry.commands.map(
    ({ name }) => `        ${name}) ${functionName(`${entry.path} ${name}`.trim())} ;;`,
  );
  return `${functionName(entry.path)}() {
  local curcontext="$curcontext" state line
  typeset -A opt_args${entry.path === '' ? callDeclaration : ''}
  local -a commands=(
${commands.join('\n')}
  )
  _arguments -C \\
${entry.options.map(optionLine).join('\n')}
    '1: :->command' \\
    '*:: :->rest'
  case $state in
    command) _describe -t commands command commands ;;
    rest)
      _agentctl_given "\${(@kv)opt_args}"
      case $line[1] in
${arms.join('\n')}
      esac
      ;;
  esac
}`;
}

function leafFunction(entry: CommandEntry): string {
  const last = entry.args.length - 1;
  const args = entry.args.map((value, at) => {
    const position = entry.isLastRepeated && at === last ? '*' : at + 1;
    return `    '${position}:argument:${action(value)}'`;
  });
  const lines = [...entry.options.map(optionLine), ...args.map((line) => `${line} \\`)];
  return `${functionName(entry.path)}() {
  typeset -A opt_args
  _arguments \\
${lines.join('\n').replace(/ \\$/, '')}
}`;
}

function optionLine({ long, short, description, value }: OptionEntry): string {
  const text = `[${escape(description, /[\\\][:]/g)}]`;
  const argument = value === null ? '' : `:value:${action(value)}`;
  const line = (name: string): string => `    ${quote(`${name}${text}${argument}`)} \\`;
  return [long, ...(short === null ? [] : [short])].map(line).join('\n');
}

function action(value: Value): string {
  if (value.kind === 'words') return `(${value.words.join(' ')})`;
  return { file: '_files', kid: '_agentctl_kids', free: ' ' }[value.kind];
}

function functionName(path: string): string {
  return path === '' ? '_agentctl' : `_agentctl_${path.replaceAll(' ', '_')}`;
}

function escape(text: string, special: RegExp): string {
  return text.replace(special, '\\$&');
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** In the root's function, so that every function below it sees the same one. */
const callDeclaration = '\n  local -a _agentctl_call=(agentctl)';

const kids = `
_agentctl_given() {
  local -A given=("$@")
  local name
  for name in --socket --keyring; do
    [[ -n $given[$name] ]] && _agentctl_call+=($name "\${(Q)given[$name]}")
  done
}
_agentctl_kids() {
  local -a found
  _agentctl_given "\${(@kv)opt_args}"
  found=(\${(f)"$(timeout 2 $_agentctl_call --json keys list 2>/dev/null </dev/null |
    grep -oE '"kid": *"[0-9a-f]{8}"' | grep -oE '[0-9a-f]{8}')"})
  compadd -a found
}
`;
