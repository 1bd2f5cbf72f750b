'use strict'
// Signed calls of the session endpoint (docs/session-endpoint.yaml, "Signed calls"), by hand: RFC 9421 with hmac-sha256, and
// the Content-Digest of RFC 9530. Optional: a server without keys has no use for this file.
//
// It owns the keys and the memory of what was taken. Of structured fields it reads as much as signers send, and what it does
// not understand is refused. Node lets no request have more than 16 KiB of headers.

const crypto = require('node:crypto')
const fs = require('node:fs')

const SKEW = 30 // seconds that a call may be old
const AHEAD = 2 // and that its signer's clock may be ahead: what it sent before the start is refused for as long after it
const OF_REQUEST = ['"@method"', '"@authority"', '"@path"', '"content-digest"']
const OF_ANSWER = ['"@status"', '"content-digest"', ...OF_REQUEST.map((item) => `${item};req`), '"signature";req']

// label=("item" "item");parameter="text";parameter=7 and label=:bytes:, each up to the comma or the end
const INPUT = /\s*([a-z*][a-z0-9_.*-]*)=(\(([^()]*)\)((?:;[a-z*][a-z0-9_.*-]*(?:=(?:"[^"\\]*"|[^;,"\s]+))?)*))\s*(?:,|$)/y
const BYTES = /\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):\s*(?:,|$)/y
const PARAMETER = /;([a-z*][a-z0-9_.*-]*)=(?:"([^"\\]*)"|([^;,"\s]+))/g

class NotSigned extends Error {
  constructor (why) {
    super(`the call is refused: ${why}`)
    Object.assign(this, { status: 401, name: 'NotSigned' })
  }
}

const hmac = (key, text) => crypto.createHmac('sha256', key).update(text).digest()
const digest = (body) => `sha-256=:${crypto.createHash('sha256').update(body).digest('base64')}:`
const seconds = () => Math.floor(Date.now() / 1000)

/** The members of a header, by their labels; each as the pattern has found it. */
function members (request, header, pattern) {
  const text = request.headers[header]
  if (text === undefined) throw new NotSigned('it is not signed')
  const found = new Map()
  for (pattern.lastIndex = 0; pattern.lastIndex < text.length;) {
    const member = pattern.exec(text)
    if (!member) throw new NotSigned(`its ${header} is malformed`)
    found.set(member[1], member)
  }
  return found
}

/** What a covered item of a request is; undefined for what a request does not have. */
function ofRequest (request, item) {
  return {
    '"@method"': request.method,
    '"@authority"': request.headers.host?.toLowerCase(),
    '"@path"': request.url.split('?')[0],
    '"content-digest"': request.headers['content-digest'],
    '"signature"': request.headers.signature
  }[item]
}

/** The text that is signed: a line for each item, and what they are, exactly as it is sent. */
function base (items, list, value) {
  const lines = items.map((item) => [item, value(item)])
  if (lines.some(([, value]) => value === undefined)) throw new NotSigned('its signature-input is malformed')
  return [...lines, ['"@signature-params"', list]].map(([item, value]) => `${item}: ${value}`).join('\n')
}

class Guard {
  /** With the keys of this file, one a line; throws if there are none. */
  constructor (file) {
    Object.assign(this, { file, started: seconds(), horizon: 0, taken: new Map() })
    this.#read()
  }

  #read () {
    this.changed = fs.statSync(this.file).mtimeMs
    const keys = fs.readFileSync(this.file, 'utf8').split(/\s+/).filter(Boolean)
    const right = keys.length >= 1 && keys.length <= 4 && keys.every((key) => /^[0-9a-f]{64}$/i.test(key))
    if (!right) throw new Error(`${this.file}: expected one to four lines, each a key of 64 hexadecimal digits`)
    this.keys = new Map(keys.map((digits) => Buffer.from(digits, 'hex')).map((key) => [hmac(key, 'id').toString('hex', 0, 8), key]))
    return true
  }

  /** Takes a call once, and answers what signs the answer to it; throws NotSigned. */
  admit (request, body) {
    const { items, list, signature, parameters } = this.#find(request)
    const missing = OF_REQUEST.find((item) => !items.includes(item))
    if (missing) throw new NotSigned(`its signature does not cover ${missing}`)
    const key = this.keys.get(parameters.keyid)
    const due = hmac(key, base(items, list, (item) => ofRequest(request, item)))
    if (signature.length !== due.length || !crypto.timingSafeEqual(signature, due)) throw new NotSigned('its signature is wrong')
    const told = request.headers['content-digest'].split(',').map((member) => member.trim())
    if (!told.includes(digest(body))) throw new NotSigned('its body is not the one that was signed')
    const { created, nonce } = parameters
    if (!/^[0-9]{1,15}$/.test(created) || nonce === undefined) throw new NotSigned('created or nonce is malformed')
    this.#take(Number(created), nonce)
    return (status, text) => this.#sign(status, text, request, parameters.keyid, key)
  }

  /** The first signature by a key that is known here. A key that is not may have come with a rotation. */
  #find (request, again = false) {
    const inputs = members(request, 'signature-input', INPUT)
    const signatures = members(request, 'signature', BYTES)
    let unknown = false
    for (const [label, [, , list, covered, tail]] of inputs) {
      const parameters = Object.fromEntries([...tail.matchAll(PARAMETER)].map(([, name, text, bare]) => [name, text ?? bare]))
      if (parameters.tag !== 'ebbtide') continue
      unknown ||= !this.keys.has(parameters.keyid)
      if (!this.keys.has(parameters.keyid)) continue
      if ((parameters.alg ?? 'hmac-sha256') !== 'hmac-sha256') throw new NotSigned('its alg is malformed')
      const signature = signatures.get(label)
      if (!signature) throw new NotSigned('its signature is malformed')
      return { items: covered.split(' '), list, parameters, signature: Buffer.from(signature[2], 'base64') }
    }
    if (!unknown) throw new NotSigned('it is not signed')
    if (!again && this.#readAgain()) return this.#find(request, true)
    throw new NotSigned(`it is signed with another key than ${[...this.keys.keys()].join(', ')}`)
  }

  #readAgain () {
    try {
      return fs.statSync(this.file).mtimeMs !== this.changed && this.#read()
    } catch {
      return false // the keys that are known go on
    }
  }

  /** What was taken is forgotten once it is refused for its age, and what was signed before the start is refused. */
  #take (created, nonce) {
    const now = seconds()
    this.horizon = Math.max(this.horizon, now - SKEW - 1)
    if (created > now + AHEAD || created <= this.horizon) throw new NotSigned(`it was signed ${created - now} s from now`)
    if (created <= this.started + AHEAD) throw new NotSigned('it may have been signed before this server started; call again')
    for (const [call, at] of this.taken) if (at <= this.horizon) this.taken.delete(call)
    const call = `${created} ${nonce}`
    if (this.taken.has(call)) throw new NotSigned('it was taken before')
    this.taken.set(call, created)
  }

  #sign (status, text, request, id, key) {
    const own = { '"@status"': status, '"content-digest"': digest(text) }
    const list = `(${OF_ANSWER.join(' ')});created=${seconds()};alg="hmac-sha256";keyid="${id}";tag="ebbtide-answer"`
    const value = (item) => item.endsWith(';req') ? ofRequest(request, item.slice(0, -';req'.length)) : own[item]
    return {
      'content-digest': own['"content-digest"'],
      'signature-input': `ebbtide-1=${list}`,
      signature: `ebbtide-1=:${hmac(key, base(OF_ANSWER, list, value)).toString('base64')}:`
    }
  }
}

module.exports = { Guard }
