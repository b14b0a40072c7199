/** What the files of a new depot say. Making them is depot.ts. */

/** A file that sets nothing: every default stays where it is, and a later version may have a better one. */
export const newConfig = `# Configuration of Headwater. Every option with its default: docs/configuration.md, or \`headwater config print --origin\`.
# \`headwater config check\` reads this file without starting; SIGHUP applies changes of record_apis, databases and schemas.
# Environment variables and flags win over this file. The server never writes it again.

server {
  # application_name: "Headwater"
  # bind_address: "127.0.0.1:4437"
  # site_url: "https://app.example.org"       # where people find the application
  # enable_record_transactions: true          # /api/transaction/v1/execute
}

# Tables come from migrations: \`headwater migration NAME\` makes an empty file in migrations/main.
# A record API shows a table to clients, below /api/records/v1/<name>:
#
# record_apis: [{
#   name: "posts"
#   table_name: "post"
#   enable_subscriptions: true
#   acl_world: [READ]
#   acl_authenticated: [CREATE, READ, UPDATE, DELETE]
#   create_access_rule: "_REQ_.author = _USER_.id"
#   update_access_rule: "_ROW_.author = _USER_.id"
#   delete_access_rule: "_ROW_.author = _USER_.id"
# }]
#
# databases: [{ name: "analytics" }]          # data/analytics.db, with migrations/analytics
# schemas: [{ name: "tags" schema: "{\\"type\\": \\"array\\"}" }]
`

export const newGitignore = `/data/
/backups/
/secrets/
/uploads/
/headwater.sock
`

export const newVault = `# Values of secrets that the configuration leaves out or masks as <REDACTED>; the environment wins over them.
# secrets { key: "TRAIL_EMAIL_SMTP_PASSWORD" value: "…" }
`
