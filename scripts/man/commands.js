// agentctl(1) and signing-agent(8), from the commands and flags that the programs have.
import {
  bold,
  escaped,
  heading,
  inline,
  italic,
  page,
  paragraph,
  subheading,
  tagged,
  title,
  verbatim,
} from './roff.js';
import { agentText, ctlText } from './texts.js';

/** agentctl(1). `program`: its tree of commands. */
export function agentctlPage(program, version) {
  return page([
    title('agentctl', 1, version),
    ...[heading('Name'), 'agentctl \\- sign with a signing\\-agent, and look after its keys'],
    ...[heading('Synopsis'), `${bold('agentctl')} [${italic('options')}] ${italic('COMMAND')}`],
    heading('Description'),
    ctlText.description.map(paragraph),
    ...[heading('Options'), shown(program).map(option)],
    tagged(`${bold('-h')}, ${bold('--help')}`, 'print help'),
    ...[heading('Commands'), leaves(program).map(command)],
    sections(ctlText.sections),
  ]);
}

/** signing-agent(8). `program`: the agent's flags. */
export function agentPage(program, version) {
  return page([
    title('signing-agent', 8, version),
    ...[heading('Name'), 'signing\\-agent \\- signs for the programs of one machine'],
    ...[heading('Synopsis'), `${bold('signing-agent')} ${words(program)}`],
    heading('Description'),
    agentText.description.map(paragraph),
    ...[heading('Options'), shown(program).map(option)],
    tagged(`${bold('-h')}, ${bold('--help')}`, 'print help'),
    program.registeredArguments.map((of) => tagged(argument(of), escaped(detail(of)))),
    afterText(program),
    sections(agentText.sections),
  ]);
}

/** Commands that have none below them. */
function leaves(command) {
  return command.commands.flatMap((one) => (one.commands.length === 0 ? [one] : leaves(one)));
}

function pathOf(command) {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function command(one) {
  return [
    subheading(escaped(pathOf(one))),
    [bold(pathOf(one)), words(one)].join(' ').trim(),
    paragraph(sentence(one.description())),
    one.registeredArguments.map((of) => tagged(argument(of), escaped(detail(of)))),
    shown(one).map(option),
    afterText(one),
  ];
}

/** Options that are not for the program's own use. */
const shown = ({ options }) => options.filter(({ hidden }) => !hidden);

/** What stands behind a command's name. */
const words = (one) =>
  [...shown(one).map(synopsis), ...one.registeredArguments.map(argument)].join(' ');

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

function argument(of) {
  const name = `${italic(of.name())}${of.variadic ? '...' : ''}`;
  return of.required ? name : `[${name}]`;
}

/** Of an option: its long name and what it takes. */
function flags({ flags: text }) {
  const [names, value] = text.split(/ (?=[<[])/);
  const bolds = names.split(', ').map(bold).join(', ');
  return value === undefined ? bolds : `${bolds} ${italic(value.replace(/[<>[\]]/g, ''))}`;
}

function synopsis(of) {
  const text = flags({ flags: of.flags.replace(/^-\w, /, '') });
  return of.mandatory ? text : `[${text}]`;
}

const option = (of) => tagged(flags(of), escaped(detail(of)));

function detail({ description, argChoices, defaultValue }) {
  const choices = argChoices === undefined ? '' : ` (one of ${argChoices.join(', ')})`;
  const usual = typeof defaultValue === 'string' ? ` (default: ${defaultValue})` : '';
  return `${description}${choices}${usual}`;
}

/** What its help says below the options: paragraphs, and examples. */
function afterText(one) {
  const written = [];
  one.emit('afterHelp', { error: false, command: one, write: (text) => written.push(text) });
  const blocks = written
    .join('')
    .trim()
    .split(/\n{2,}/)
    .filter((block) => block !== '');
  return blocks
    .filter((block) => !isExitStatus(block, one))
    .map((block) => {
      const lines = block.split('\n');
      if (!/^Examples?:$/.test(lines[0])) return `.PP\n${escaped(lines.join(' '))}`;
      return [`.PP\n${escaped(lines[0])}`, verbatim(lines.slice(1).map((line) => line.trim()))];
    });
}

/** Of a program as a whole it has a section of its own. */
const isExitStatus = (block, { parent }) => parent === null && block.startsWith('Exit codes:');

function sections(all) {
  return all.map(({ name, paragraphs = [], list = [] }) => [
    heading(name),
    paragraphs.map(paragraph),
    list.map(([tag, text]) => tagged(bold(tag), inline(text))),
  ]);
}
