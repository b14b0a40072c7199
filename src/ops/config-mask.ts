/** What a masked secret looks like in files and on screens. Where its value comes from instead is config-secrets.ts. */

/** Never taken as a value. */
export const masked = '<REDACTED>'
