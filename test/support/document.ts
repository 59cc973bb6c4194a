import { readdirSync, readFileSync } from 'node:fs';

/** A part of a document that a test does something with, in the order of the document. */
export type Part =
  | {
      readonly kind: 'command';
      readonly line: number;
      readonly command: string;
      readonly expected: string;
    }
  | { readonly kind: 'hidden'; readonly line: number; readonly script: string }
  | { readonly kind: 'file'; readonly line: number; readonly path: string; readonly text: string };

export interface Block {
  /** Of its first line of text, from 1 on. */
  readonly line: number;
  /** What stands behind the fence: `console`, `toml`, … */
  readonly language: string;
  readonly text: string;
  /** `<!-- write: NAME -->` in the line above: the session has it as a file of that name. */
  readonly file: string | null;
}

const fence = /^```(.*)$/;

/** The fenced blocks of a document. Throws for one that has no end. */
export function blocksOf(text: string): readonly Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const language = fence.exec(lines[at] ?? '')?.[1];
    if (language === undefined) continue;
    const end = lines.indexOf('```', at + 1);
    if (end === -1) throw new Error(`line ${at + 1}: the block has no end`);
    const above = lines.slice(0, at).findLast((line) => line.trim() !== '') ?? '';
    blocks.push({
      line: at + 2,
      language: language.trim(),
      text: lines
        .slice(at + 1, end)
        .map((line) => `${line}\n`)
        .join(''),
      file: /^<!-- write: (\S+) -->$/.exec(above)?.[1] ?? null,
    });
    at = end;
  }
  return blocks;
}

/**
 * What a session of a document does: the commands of its console blocks with what they print, the blocks that are files,
 * and what stands in `<!-- run: … -->`, which a reader does not see.
 */
export function partsOf(text: string): readonly Part[] {
  const parts: Part[] = blocksOf(text).flatMap((block): readonly Part[] => {
    if (block.file !== null) {
      return [{ kind: 'file', line: block.line, path: block.file, text: block.text }];
    }
    return block.language === 'console' ? commandsOf(block) : [];
  });
  for (const { index, 1: script = '' } of text.matchAll(/^<!-- run:\s([^]*?)-->$/gm)) {
    parts.push({ kind: 'hidden', line: text.slice(0, index).split('\n').length, script });
  }
  return parts.sort((one, other) => one.line - other.line);
}

function commandsOf({ line, text }: Block): readonly Part[] {
  const commands: { kind: 'command'; line: number; command: string; expected: string }[] = [];
  for (const [at, said] of text.trimEnd().split('\n').entries()) {
    const last = commands.at(-1);
    if (said.startsWith('$ ')) {
      commands.push({ kind: 'command', line: line + at, command: said.slice(2), expected: '' });
    } else if (last === undefined) {
      throw new Error(`line ${line + at}: a console block begins with a command`);
    } else if (said.startsWith('> ') && last.expected === '') {
      last.command += `\n${said.slice(2)}`;
    } else {
      last.expected += `${said}\n`;
    }
  }
  return commands;
}

/** As GitHub makes them of the headings. */
export function anchorsOf(text: string): readonly string[] {
  const prose = text.replaceAll(/^```[^]*?^```$/gm, '');
  const seen = new Map<string, number>();
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => {
    const anchor = heading
      .toLowerCase()
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-');
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}

/** Where its links lead that lead to a file or to a place in one. Addresses of the web are not looked at. */
export function linksOf(
  text: string,
): readonly { readonly path: string; readonly anchor: string | null }[] {
  const prose = text.replaceAll(/^```[^]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]*)\)/g)].flatMap(([, target = '']) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [path = '', anchor = null] = target.split('#');
    return [{ path, anchor }];
  });
}

export const readDocument = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** Every document that a user reads, by its path in the repository. */
export function documents(): readonly string[] {
  const folder = (path: string): readonly string[] =>
    readdirSync(new URL(`../../${path}/`, import.meta.url), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${path}/${name}`);
  const top = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'];
  return [...top, 'softhsm/README.md', ...folder('docs'), ...folder('examples')].sort();
}
