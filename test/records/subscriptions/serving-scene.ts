/** The table of the test that kills its server. */
export const sql = 'CREATE TABLE item (id INTEGER PRIMARY KEY, text TEXT) STRICT;'
export const apis = [{ name: 'item', tableName: 'item', aclWorld: ['create', 'read', 'update', 'delete'], enableSubscriptions: true }] as const
