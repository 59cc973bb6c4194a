import type { CommandEntry, OptionEntry, Value } from './completion-model.ts';

/** A fish completion file: one \`complete\` line a thing that can stand on the command line. */
export function fishScript(model: readonly CommandEntry[]): string {
  const valued = model.flatMap((entry) =>
    entry.options.filter(({ value }) => value !== null).map(({ long }) => long),
  );
  const paths = model.map((entry) => quote(entry.path)).join(' ');
  return `# fish completion for agentctl; made by \`agentctl completion fish\`
set -g __agentctl_valued ${[...new Set(valued)].join(' ')}
set -g __agentctl_paths ${paths}
${helpers}
complete -c agentctl -f
${model.flatMap(lines).join('\n')}
`;
}

function lines(entry: CommandEntry): string[] {
  const at = (position: number): string =>
    `complete -c agentctl -n ${quote(`__agentctl_at ${quote(entry.path)} ${position}`)}`;
  const here = `complete -c agentctl -n ${quote(`__agentctl_in ${quote(entry.path)}`)}`;
  return [
    ...entry.commands.map(
      ({ name, description }) => `${at(0)} -a ${name} -d ${quote(description)}`,
    ),
    ...entry.args.map((value, position) => {
      const isRepeated = entry.isLastRepeated && position === entry.args.length - 1;
      return `${isRepeated ? here : at(position)}${offer(value, true)}`;
    }),
    ...entry.options.map((option) => `${here}${optionText(option)}`),
  ];
}

function optionText({ long, short, description, value }: OptionEntry): string {
  const name = ` -l ${long.replace(/^--/, '')}${short === null ? '' : ` -s ${short.slice(1)}`}`;
  const takes = value === null ? '' : ` -r${offer(value, false)}`;
  return `${name}${takes} -d ${quote(description)}`;
}

function offer(value: Value, isArgument: boolean): string {
  switch (value.kind) {
    case 'file':
      return ' -F';
    case 'kid':
      return ` -f -a ${quote('(__agentctl_kids)')}`;
    case 'words':
      return ` -f -a ${quote(value.words.join(' '))}`;
    case 'free':
      return isArgument ? '' : ' -f';
  }
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

const helpers = `
# Prints the path of commands, the number of arguments behind it, and the flags that name an agent.
function __agentctl_walk
    set -l path ''
    set -l position 0
    set -l call
    set -l expecting ''
    set -l tokens (commandline -opc)
    for token in $tokens[2..-1]
        if test -n "$expecting"
            contains -- $expecting --socket --keyring; and set -a call $expecting $token
            set expecting ''
        else if string match -q -- '--*=*' $token
            string match -qr -- '^--(socket|keyring)=' $token; and set -a call $token
        else if string match -q -- '-*' $token
            contains -- $token $__agentctl_valued; and set expecting $token
        else if contains -- (string trim -- "$path $token") $__agentctl_paths
            set path (string trim -- "$path $token")
        else
            set position (math $position + 1)
        end
    end
    echo $path
    echo $position
    set -q call[1]; and printf '%s\\n' $call
end
function __agentctl_at
    set -l walked (__agentctl_walk)
    test "$walked[1]" = "$argv[1]" -a "$walked[2]" = "$argv[2]"
end
function __agentctl_in
    set -l walked (__agentctl_walk)
    test "$walked[1]" = "$argv[1]"
end
function __agentctl_kids
    set -l walked (__agentctl_walk)
    timeout 2 agentctl $walked[3..-1] --json keys list 2>/dev/null </dev/null \\
        | string match -ra '"kid": *"[0-9a-f]{8}"' | string match -ra '[0-9a-f]{8}'
end
`;
