/** What an operator does about damaged files. By itself, because writer threads say it too and must not load what layout.ts needs. */
export const damageRemedy = 'run `headwater check`, then restore the data directory from a backup'
