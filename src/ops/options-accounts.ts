/** The part of the table of options (options.ts) about accounts, mail and jobs: TrailBase's messages AuthConfig, EmailConfig and JobsConfig. */
import { boolean, capitals, integer, listOf, longText, text } from './config-kinds.ts'
import { oauthProviders, systemJobs } from './config-messages-accounts.ts'
import { option, unset } from './config-option.ts'

const secsMax = 100 * 366 * 86_400
const daySecs = 86_400
const words = text('a string that is not empty')
const template = longText('a template')
const trail = { isTrail: true }
const unused = { isTrail: true, isUnused: true }

const userIdentifiers = ['only_email', 'only_username', 'require_email', 'require_username', 'require_email_and_username'] as const

export const accountOptions = {
  'auth.auth_token_ttl_sec': option(integer(1, secsMax), 3600, 'How long a token of this server is valid.', trail),
  'auth.refresh_token_ttl_sec': option(integer(1, secsMax), 30 * daySecs, 'How long a session is valid without being used.', trail),
  'auth.anonymous_refresh_token_ttl_sec': option(integer(1, secsMax), 90 * daySecs, 'The same for anonymous users.', trail),
  'auth.disable_password_auth': option(boolean, false, 'Nobody can register with a password.', unused),
  'auth.password_minimal_length': option(integer(1, 128), 8, 'Shortest password, in characters.', trail),
  'auth.password_must_contain_upper_and_lower_case': option(boolean, false, 'A password has capitals and small letters.', trail),
  'auth.password_must_contain_digits': option(boolean, false, 'A password has a digit.', trail),
  'auth.password_must_contain_special_characters': option(boolean, false, 'A password has a character that is neither letter nor digit.', trail),
  'auth.enable_otp_signin': option(boolean, false, 'Users may log in by a code that is sent to them.', unused),
  'auth.enable_anonymous_signin': option(boolean, false, 'Users may log in without saying who they are.', trail),
  'auth.oauth_providers': option(oauthProviders, [], 'Providers of identity by name.', unused),
  'auth.custom_uri_schemes': option(listOf(text('a scheme such as com.example.app', value => /^[A-Za-z][A-Za-z0-9+.-]*$/.test(value))), [], 'Schemes of applications that a redirect may lead to.', trail),
  'auth.redirect_uri_allowlist': option(listOf(text('an absolute URL', value => URL.canParse(value))), [], 'Addresses that a redirect may lead to.', trail),
  'auth.user_identifier': option(capitals(userIdentifiers, { prefix: 'USER_IDENTIFIER_', undefinedMeans: 'only_email' }), 'only_email', 'What names a user: an e-mail address, a user name, or both.', trail),

  'email.smtp_host': unset(words, 'Host that sends mail. Everything else of SMTP needs it.', unused),
  'email.smtp_port': unset(integer(1, 65_535), 'Its port.', unused),
  'email.smtp_username': unset(words, 'User at the host.', unused),
  'email.smtp_password': unset(words, 'Password of that user.', { ...unused, secret: true }),
  'email.smtp_encryption': option(capitals(['none', 'starttls', 'tls'], { prefix: 'SMTP_ENCRYPTION_', undefinedMeans: 'starttls' }), 'starttls', 'How the connection to the host is secured.', unused),
  'email.sender_name': unset(words, 'Who mails come from.', unused),
  'email.sender_address': unset(text('an e-mail address', value => /^[^\s@]+@[^\s@]+$/.test(value)), 'The address they come from; needs the name.', unused),
  'email.user_verification_template.subject': unset(words, 'Subject of the mail that asks a new user to confirm the address.', unused),
  'email.user_verification_template.body': unset(template, 'Its body.', unused),
  'email.password_reset_template.subject': unset(words, 'Subject of the mail that leads to a new password.', unused),
  'email.password_reset_template.body': unset(template, 'Its body.', unused),
  'email.change_email_template.subject': unset(words, 'Subject of the mail that asks to confirm a new address.', unused),
  'email.change_email_template.body': unset(template, 'Its body.', unused),
  'email.otp_template.subject': unset(words, 'Subject of the mail with a code.', unused),
  'email.otp_template.body': unset(template, 'Its body.', unused),

  'jobs.system_jobs': option(systemJobs, [], 'When the jobs of the server run.', unused),
}
