/** How long a replaced key stays valid where neither the command nor the configuration says, seconds: 7 days. */
export const usualGraceSeconds = 7 * 86_400;
