/** What a query may ask for at the most. The deadline and the rows of a page are the API's and the configuration's. */

/** Bytes of the query string as it came. */
export const queryBytesMax = 16 * 1024
/** Parameters of one query string, the ignored ones included. */
export const parametersMax = 256
/** Brackets of one parameter, TrailBase's limit (trailbase-api.md §6.1). */
export const bracketsMax = 9
/** `$and` and `$or` inside each other. */
export const groupDepthMax = 5
/** Conditions of one filter. */
export const conditionsMax = 64
/** Values of one `$in` or `$nin`. */
export const inValuesMax = 256
/** Characters of a pattern of `$like` or `$re`. */
export const patternCharsMax = 512
/** Parts of a pattern of `$re` with its counted repeats written out. */
export const patternSizeMax = 2000
export const orderColumnsMax = 5
export const expandMax = 5
export const fieldsMax = 256
export const aggregatesMax = 16
export const groupColumnsMax = 5
/** Characters of `match`. */
export const matchCharsMax = 1024
/** Parentheses inside each other in `match`. */
export const matchDepthMax = 16
/** Records of a page when the client names no limit. */
export const limitDefault = 50
/** Records that one reverse expand brings along for each record. */
export const expandChildrenMax = 100
/** Records that one expansion brings along for a whole page. */
export const expandRowsMax = 10_000
/** Characters of a body. Rows are few, but a value can be large. */
export const bodyCharsMax = 64 * 1024 * 1024
/** Characters of texts and bytes of blobs that the statements of a read may give: no more than a body of them could hold. */
export const valueCharsMax = bodyCharsMax
