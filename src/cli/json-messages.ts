/** Cuts the text of a JSON array into the texts of its elements, so that numbers and key order are printed as they were written. */

const quote = 34
const backslash = 92
const comma = 44

/** The elements of `text`, an array that a server sent, each on one line. */
export function messagesOf(text: string): readonly string[] {
  const messages: string[] = []
  let depth = 0
  let isInString = false
  let from = text.indexOf('[') + 1
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (isInString) {
      if (code === backslash) at++
      else if (code === quote) isInString = false
    } else if (code === quote) isInString = true
    else if (isOpening(code)) depth++
    else if (isClosing(code) && depth > 0) depth--
    else if (code === comma && depth === 0) {
      messages.push(oneLine(text.slice(from, at)))
      from = at + 1
    } else if (isClosing(code)) {
      const last = oneLine(text.slice(from, at))
      if (last !== '') messages.push(last)
      break
    }
  }
  return messages
}

function isOpening(code: number): boolean {
  return code === 91 || code === 123
}

function isClosing(code: number): boolean {
  return code === 93 || code === 125
}

/** A line end inside JSON is white space between tokens: strings cannot hold one. */
function oneLine(text: string): string {
  return text.trim().replace(/\s*[\r\n]+\s*/g, ' ')
}
