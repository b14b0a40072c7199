/** Whether a text has the form of an e-mail address: that of HTML's input fields, with addresses in brackets and names beyond ASCII. */
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'

const localCharsMax = 64
const domainCharsMax = 255
const local = /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+$/i
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i

export function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@')
  const [name, domain] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1)]
  return at > 0 && name.length <= localCharsMax && domain.length <= domainCharsMax && local.test(name) && isDomain(domain)
}

function isDomain(domain: string): boolean {
  const literal = /^\[(.*)\]$/.exec(domain)?.[1]
  if (literal !== undefined) return isIP(literal.replace(/^IPv6:/i, '')) !== 0
  // What is not seen is taken out by domainToASCII.
  if (/[\s\p{C}]/u.test(domain)) return false
  const ascii = /^[\x21-\x7e]*$/.test(domain) ? domain : domainToASCII(domain)
  return ascii.split('.').every(part => label.test(part))
}
