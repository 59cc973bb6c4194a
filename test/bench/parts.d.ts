export declare const parts: Readonly<Record<string, unknown>>;
export declare const groups: Readonly<Record<string, readonly string[]>>;
