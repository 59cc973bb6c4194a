/** A record as an operator notes it down, to compare a later chain with it. */
export interface Head {
  readonly seq: number;
  /** SHA-256 of the record's whole line without its newline, lowercase hex. */
  readonly hash: string;
}

/** Where a record stands. */
export interface Place extends Head {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** RFC 3339, as it stands in the record. */
  readonly time: string;
}

export interface Problem {
  readonly file: string;
  /** From 1; null: the file as a whole. */
  readonly line: number | null;
  /** Null where the line is no record. */
  readonly seq: number | null;
  /** What is wrong: what was expected and what was found. */
  readonly problem: string;
}

/** What holds of a chain. */
export interface Verdict {
  /** No problem was found. */
  readonly valid: boolean;
  readonly files: number;
  readonly records: number;
  readonly first: Place | null;
  readonly last: Place | null;
  /** The last record before the first problem; `last` where there is none. */
  readonly head: Place | null;
  /** Sequence number of the last signed record before the first problem; null: nothing is vouched for. */
  readonly signedThrough: number | null;
  /** Records that stand after it. */
  readonly unsignedTail: number;
  /** Key ids whose signatures were found good. */
  readonly signers: readonly string[];
  /** In the order in which they were found: the first hundred. */
  readonly problems: readonly Problem[];
  /** All of them. */
  readonly problemCount: number;
  /** What is no fault and should be known. */
  readonly warnings: readonly string[];
}
