'use strict'
// The session endpoint, version 1 (docs/session-endpoint.yaml), by hand: a model for servers that are not written in Rust.
//
// It owns admission, epoch and seal, the state file and the standing order. Node runs one piece of code at a time, so what
// has no `await` in it is atomic; every place where that matters says so.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')

const LARGEST_BODY = 64 * 1024
const LONGEST_LEASE = 86400
/** How often to look for sessions that have become idle, in milliseconds. */
const LOOK_AGAIN = 50

class Refused extends Error {
  constructor (status, name, message) {
    super(message)
    this.status = status
    this.name = name
  }
}

class Endpoint {
  /**
   * `sessions` has `count()`, which answers `{busy, idle, oldestBusySeconds}`; `idle()`, the idle sessions, longest idle
   * first, without those that are being closed; and `closeIfIdle(session)`, true if it was idle and is being closed now.
   * Throws when it cannot be told whether this server is sealed: do not serve then.
   */
  constructor (instance, stateFile, sessions) {
    Object.assign(this, { instance, stateFile, sessions, inUse: 0, closed: 0, order: null, doubt: false })
    this.kept = read(instance, stateFile)
    this.reported = this.kept.epoch // what a restart would know
    this.admission = this.kept.sealed ? 'sealed' : 'open'
    this.last = Promise.resolve() // the order before: one at a time
  }

  /** A place for a session, before its handshake is answered; null if it is refused. Call what it answers when all is over. */
  enterSession () {
    if (this.admission !== 'open') return null
    this.inUse += 1
    let left = false
    return () => {
      if (!left) this.inUse -= 1
      left = true
    }
  }

  report () {
    const { busy, idle, oldestBusySeconds } = this.sessions.count()
    const admission = this.admission === 'sealing' ? 'draining' : this.admission // not before a restart would know it
    return { version: 1, instance: this.instance, admission, epoch: this.reported, busy, idle, closed: this.closed, oldestBusySeconds }
  }

  /** Carries out an order once those before it are done. */
  carryOut (call, order) {
    const done = this.last.then(() => this.#carryOut(call, order))
    this.last = done.catch(() => {})
    return done
  }

  async #carryOut (call, order) {
    if (order.instance !== this.instance) throw new Refused(409, 'WrongInstance', `this is ${this.instance}`)
    if (order.epoch < this.kept.epoch) throw new Refused(409, 'StaleEpoch', `epoch ${order.epoch} is below ${this.kept.epoch}`)
    const before = this.admission
    const isSealed = before === 'sealed' || before === 'sealing'
    if (call === 'resume' && isSealed) throw new Refused(409, 'Sealed', 'this server is sealed: it never again takes a session')
    if (call === 'seal' && !isSealed) {
      // The look and the deed, without an await in between: nothing is let in from here on.
      if (this.inUse > 0) throw new Refused(409, 'InUse', `${this.inUse} sessions are in use`)
      this.admission = 'sealing'
    }
    try {
      await this.#keep({ ...this.kept, epoch: order.epoch, deployment: order.deployment, sealed: this.kept.sealed || call === 'seal' })
    } catch (error) {
      this.doubt ||= call === 'seal' && error.maybeWritten
      if (call === 'seal' && !isSealed && !this.doubt) {
        this.admission = before
        this.kept.sealed = false
      }
      throw new Refused(500, 'NotPersisted', error.message)
    }
    if (call === 'seal') this.admission = 'sealed'
    if (call === 'resume') this.admission = 'open'
    if (call === 'drain' && !isSealed) this.#drain(order)
    else this.#cancel()
  }

  /** In memory at once, so that a higher epoch fences even if the disk is full; on disk before this is done. */
  async #keep (kept) {
    this.kept = kept
    await write(this.stateFile, kept)
    this.reported = kept.epoch
  }

  #drain ({ perSecond, leaseSeconds }) {
    if (this.admission === 'open') this.closed = 0
    this.admission = 'draining'
    const now = performance.now()
    const slot = Math.min(1000 / perSecond, LONGEST_LEASE * 1000)
    const stands = this.order && now < this.order.until
    // What is left of the current slot is left of it still; the first slot begins at a random moment of its length.
    const left = stands ? Math.max(0, this.order.due - now) * slot / this.order.slot : Math.random() * slot
    this.order = { slot, due: now + left, until: now + leaseSeconds * 1000 }
    clearTimeout(this.timer)
    this.#closeOne()
  }

  #cancel () {
    clearTimeout(this.timer)
    this.order = null
  }

  /** Closes at most one session, and comes back for the next. */
  #closeOne () {
    const now = performance.now()
    const order = this.order
    if (!order || now >= order.until) return this.#cancel()
    if (now >= order.due) {
      const closed = this.sessions.idle().some((session) => this.sessions.closeIfIdle(session))
      if (closed) {
        this.closed += 1
        order.due = Math.max(order.due, now - 10) + order.slot // a quiet time is not made up for by a burst
      }
    }
    const wait = order.due > now ? order.due - now : LOOK_AGAIN
    this.timer = setTimeout(() => this.#closeOne(), Math.min(wait, order.until - now))
    this.timer.unref()
  }

  /** The HTTP server of the private port. With a guard (signature.js) it takes signed calls alone, and signs its answers. */
  server (guard) {
    return http.createServer(async (request, response) => {
      let status, answer
      let signed = () => ({})
      try {
        const sent = await body(request)
        if (guard) signed = guard.admit(request, sent)
        ;[status, answer] = await this.#answer(request, sent)
      } catch (error) {
        const problem = { error: error.name, message: error.message }
        status = error.status ?? 500
        answer = status === 409 ? { ...problem, ...this.report() } : problem
      }
      const text = JSON.stringify(answer)
      response.writeHead(status, { 'content-type': 'application/json', ...signed(status, text) }).end(text)
    })
  }

  async #answer (request, sent) {
    const [, root, call, ...rest] = request.url.split('/')
    if (root !== 'sessions' || rest.length > 0) throw new Refused(404, 'NotFound', 'here is /sessions')
    if (request.method === 'GET' && call === undefined) return [200, this.report()]
    if (!['drain', 'resume', 'seal'].includes(call)) throw new Refused(404, 'NotFound', 'here is /sessions')
    if (request.method !== 'POST') throw new Refused(405, 'MethodNotAllowed', 'this path has another method')
    await this.carryOut(call, parse(call, sent.toString()))
    return [200, this.report()]
  }
}

async function body (request) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size <= LARGEST_BODY) chunks.push(chunk) // the rest is read and dropped, so that the answer arrives
  }
  if (size > LARGEST_BODY) throw new Refused(413, 'InvalidRequest', 'an order has at most 64 KiB')
  return Buffer.concat(chunks)
}

function parse (call, text) {
  const wrong = (field) => new Refused(400, 'InvalidRequest', `${field} is missing or wrong`)
  let order
  try {
    order = JSON.parse(text)
  } catch {
    throw wrong('the body')
  }
  if (typeof order !== 'object' || order === null || Array.isArray(order)) throw wrong('the body')
  for (const field of ['instance', 'deployment']) {
    if (typeof order[field] !== 'string' || order[field] === '') throw wrong(field)
  }
  if (!Number.isSafeInteger(order.epoch) || order.epoch < 0) throw wrong('epoch')
  if (call === 'drain') {
    const { perSecond, leaseSeconds } = order
    if (!Number.isFinite(perSecond) || perSecond <= 0) throw wrong('perSecond')
    if (!Number.isSafeInteger(leaseSeconds) || leaseSeconds < 1 || leaseSeconds > LONGEST_LEASE) throw wrong('leaseSeconds')
  }
  return order
}

/** The state file's content; a new server's if there is none. */
function read (instance, file) {
  let text
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return { version: 1, instance, epoch: 0, deployment: null, sealed: false }
  }
  const kept = JSON.parse(text) // a damaged file throws: it may say sealed
  const whole = kept.version === 1 && Number.isSafeInteger(kept.epoch) && typeof kept.sealed === 'boolean'
  if (!whole || kept.instance !== instance) throw new Error(`${file} is damaged, or not ${instance}'s`)
  return kept
}

/** Replaces the file, durably: content, name and directory. */
async function write (file, kept) {
  const next = `${file}.${process.pid}.new`
  let maybeWritten = false
  try {
    const handle = await fs.promises.open(next, 'w')
    try {
      await handle.writeFile(JSON.stringify(kept))
      await handle.sync()
    } finally {
      await handle.close()
    }
    maybeWritten = true
    await fs.promises.rename(next, file)
    const directory = await fs.promises.open(path.dirname(file), 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  } catch (error) {
    throw Object.assign(error, { maybeWritten })
  }
}

module.exports = { Endpoint }
