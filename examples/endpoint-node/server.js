'use strict'
// A chat of lines over TCP, for an NLB:
// `node server.js [--keys FILE] INSTANCE STATE_FILE ADDRESS PORT SESSIONS_PORT [IDLE_AFTER_MS]`.
//
// With --keys the session endpoint takes calls alone that are signed with a key of that file.
//
// Each connection is a session, greeted with a line. It is busy while it talks and for a while after. Who is asked to leave
// gets the line `reconnect`, whoever is refused the line `come back`.

const net = require('node:net')
const readline = require('node:readline')
const { parseArgs } = require('node:util')
const { Endpoint } = require('./endpoint.js')
const { Guard } = require('./signature.js')

const { positionals, values } = parseArgs({ allowPositionals: true, options: { keys: { type: 'string' } } })
const [instance, stateFile, address, port, sessionsPort, idleAfter = '30000'] = positionals

const guests = new Set()
const isIdle = (guest) => performance.now() - guest.spoke >= Number(idleAfter)

const sessions = {
  count () {
    const busy = [...guests].filter((guest) => !isIdle(guest))
    const oldest = Math.min(...busy.map((guest) => guest.busySince))
    const oldestBusySeconds = busy.length > 0 ? Math.floor((performance.now() - oldest) / 1000) : 0
    return { busy: busy.length, idle: guests.size - busy.length, oldestBusySeconds }
  },
  idle () {
    return [...guests].filter((guest) => isIdle(guest) && !guest.leaving).sort((one, other) => one.spoke - other.spoke)
  },
  // The look and the deed without an await in between.
  closeIfIdle (guest) {
    if (!guests.has(guest) || guest.leaving || !isIdle(guest)) return false
    guest.leaving = true
    guest.socket.end('reconnect\n')
    return true
  }
}

const endpoint = new Endpoint(instance, stateFile, sessions)

const chat = net.createServer((socket) => {
  socket.on('error', () => {}) // 'close' follows
  const leave = endpoint.enterSession()
  if (!leave) {
    socket.end('come back\n')
    return
  }
  const now = performance.now()
  const guest = { socket, spoke: now, busySince: now, leaving: false }
  guests.add(guest)
  socket.on('close', () => {
    guests.delete(guest)
    leave() // last: now nothing of this session is left
  })
  socket.write('welcome\n')
  readline.createInterface({ input: socket }).on('error', () => {}).on('line', (line) => {
    if (guest.leaving) return
    if (isIdle(guest)) guest.busySince = performance.now()
    guest.spoke = performance.now()
    for (const other of guests) if (!other.leaving) other.socket.write(`${line}\n`)
  })
})

chat.listen(Number(port), address)
endpoint.server(values.keys && new Guard(values.keys)).listen(Number(sessionsPort), address)
