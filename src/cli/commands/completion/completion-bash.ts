import type { CommandEntry, Value } from './completion-model.ts';

/** A bash script without need of the bash-completion package; helpers answer in REPLY, without forks. */
export function bashScript(model: readonly CommandEntry[]): string {
  const commands = model
    .filter((entry) => entry.commands.length > 0)
    .map((entry) => arm(entry.path, entry.commands.map(({ name }) => name).join(' ')));
  const options = model.map((entry) =>
    arm(entry.path, entry.options.map((option) => option.long).join(' ')),
  );
  const values = model.flatMap((entry) =>
    entry.options.flatMap(({ long, value }) =>
      value === null ? [] : [arm(`${entry.path}:${long}`, spec(value))],
    ),
  );
  const args = model.flatMap((entry) =>
    entry.args.map((value, at) =>
      entry.isLastRepeated && at === entry.args.length - 1
        ? repeatedArm(`${entry.path}:`, spec(value))
        : arm(`${entry.path}:${at}`, spec(value)),
    ),
  );
  return `# bash completion for agentctl; made by \`agentctl completion bash\`
_agentctl_commands() { REPLY=; case "$1" in
${commands.join('\n')}
esac; }
_agentctl_options() { REPLY=; case "$1" in
${options.join('\n')}
esac; }
_agentctl_value() { REPLY=; case "$1" in
${values.join('\n')}
esac; }
_agentctl_argument() { REPLY=; case "$1" in
${args.join('\n')}
esac; }
${script}`;
}

function arm(pattern: string, reply: string): string {
  return `  '${pattern}') REPLY='${reply}' ;;`;
}

/** Behind the arms of the arguments before it. */
function repeatedArm(beginning: string, reply: string): string {
  return `  '${beginning}'*) REPLY='${reply}' ;;`;
}

/** \`file\`, \`kid\`, \`free\`, or \`words …\`. */
function spec(value: Value): string {
  return value.kind === 'words' ? `words ${value.words.join(' ')}` : value.kind;
}

const script = `
_agentctl_offer() {
  local IFS=$' \\t\\n'
  case "$1" in
    file)
      compopt -o filenames 2>/dev/null
      IFS=$'\\n'
      COMPREPLY=($(compgen -f -- "$2"))
      ;;
    kid)
      local kids
      kids=$(timeout 2 "\${_agentctl_call[@]}" --json keys list 2>/dev/null </dev/null |
        grep -oE '"kid": *"[0-9a-f]{8}"' | grep -oE '[0-9a-f]{8}')
      COMPREPLY=($(compgen -W "$kids" -- "$2"))
      ;;
    'words '*) COMPREPLY=($(compgen -W "\${1#words }" -- "$2")) ;;
  esac
}

_agentctl() {
  local REPLY word path= position=0 expecting= only_arguments= at
  local cur="\${COMP_WORDS[COMP_CWORD]}"
  local -a _agentctl_call=("\${COMP_WORDS[0]}")
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    if [[ $expecting ]]; then
      [[ $word == = ]] && continue
      case "$expecting" in --socket | --keyring) _agentctl_call+=("$expecting" "$word") ;; esac
      expecting=
    elif [[ $only_arguments ]]; then
      ((position++))
    elif [[ $word == -- ]]; then
      only_arguments=1
    elif [[ $word == -?* ]]; then
      _agentctl_value "$path:$word"
      [[ $REPLY ]] && expecting=$word
    else
      _agentctl_commands "$path"
      if [[ " $REPLY " == *" $word "* ]]; then
        path="\${path:+$path }$word"
      else
        ((position++))
      fi
    fi
  done
  if [[ $expecting ]]; then
    [[ $cur == = ]] && cur=
    _agentctl_value "$path:$expecting"
    _agentctl_offer "$REPLY" "$cur"
  elif [[ $cur == -* && ! $only_arguments ]]; then
    _agentctl_options "$path"
    _agentctl_offer "words $REPLY" "$cur"
  else
    _agentctl_commands "$path"
    if [[ $REPLY ]]; then
      _agentctl_offer "words $REPLY" "$cur"
    else
      _agentctl_argument "$path:$position"
      _agentctl_offer "$REPLY" "$cur"
    fi
  fi
}
complete -F _agentctl agentctl
`;
