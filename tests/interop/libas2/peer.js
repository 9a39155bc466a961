// libas2 as an AS2 partner: a web server that takes messages and receipts on "/", and does what
// the tests tell it on "/send" (JSON in, JSON out) and "/received". Started with one argument, a
// JSON file: {modules, port, key, certificate, hubCertificate, hubId, hubUrl, mdnUrl, partners}.
'use strict'
const fs = require('fs')
const http = require('http')
const path = require('path')
const crypto = require('crypto')

const config = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const {
  AS2Composer, AS2Crypto, AS2MimeNode, AS2Parser
} = require(path.join(config.modules, 'libas2'))

const key = fs.readFileSync(config.key, 'utf8')
const certificate = fs.readFileSync(config.certificate, 'utf8')
const hubCertificate = fs.readFileSync(config.hubCertificate, 'utf8')

const received = {} // Message-ID -> what came, unpacked
const receipts = {} // Message-ID -> who waits for its receipt

function agreement (scenario) {
  return {
    host: {
      name: scenario.id,
      id: scenario.id,
      url: config.mdnUrl,
      certificate,
      privateKey: key,
      decrypt: Boolean(scenario.encrypt),
      sign: scenario.sign || false,
      mdn: { async: scenario.async, signing: scenario.sign || 'sha-256' }
    },
    partner: {
      name: config.hubId,
      id: config.hubId,
      url: config.hubUrl,
      certificate: hubCertificate,
      encrypt: scenario.encrypt || false,
      verify: Boolean(scenario.sign),
      mdn: { async: scenario.async, signing: 'sha-256' }
    }
  }
}

function request (url, headers, body) {
  return new Promise((resolve, reject) => {
    const going = http.request(url, { method: 'POST', headers, timeout: 30000 }, answer => {
      const parts = []
      answer.on('data', part => parts.push(part))
      answer.on('error', reject)
      answer.on('end', () => resolve({
        status: answer.statusCode, raw: whole(answer.rawHeaders, Buffer.concat(parts))
      }))
    })
    going.on('timeout', () => going.destroy(new Error('no answer in time')))
    going.on('error', reject)
    going.end(body)
  })
}

// A message as libas2's parser wants it: what is encrypted as bytes, all else as the text it is.
function whole (rawHeaders, body) {
  let head = ''
  for (let i = 0; i < rawHeaders.length; i += 2) head += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  const all = Buffer.concat([Buffer.from(head + '\r\n', 'latin1'), body])
  return /pkcs7-mime/i.test(head) ? all : all.toString('utf8')
}

// The MIC to expect in the receipt: by libas2 itself over what it signs.
async function expectedMic (message, scenario) {
  if (!scenario.sign) {
    const entity = await AS2Crypto.buildNode(new AS2MimeNode(message))
    return crypto.createHash('sha256').update(entity).digest('base64')
  }
  const options = { cert: certificate, key, algorithm: scenario.sign }
  const signed = await new AS2MimeNode(message).sign(options)
  const checked = await AS2Crypto.verify(signed, { cert: certificate }, true)
  return checked.digest.toString('base64')
}

async function send (order) {
  const scenario = config.partners[order.id]
  const message = {
    contentType: 'application/xml',
    filename: `${order.id}.xml`,
    content: Buffer.from(order.payload, 'base64')
  }
  const mic = await expectedMic(message, scenario)
  const composer = new AS2Composer({
    message,
    agreement: agreement(scenario),
    additionalHeaders: [{ key: 'Message-ID', value: order.messageId }]
  })
  const { headers, body } = await composer.toRequestOptions()
  const coming = scenario.async && new Promise(resolve => { receipts[order.messageId] = resolve })
  const answer = await request(config.hubUrl, headers, body)
  if (answer.status !== 200) throw new Error(`status ${answer.status}: ${answer.raw}`)
  const disposition = scenario.async ? await coming : await readReceipt(answer.raw)
  const { notification } = disposition
  const said = notification.receivedContentMic || {}
  return {
    original: notification.originalMessageId,
    disposition: notification.disposition,
    explanation: disposition.explanation,
    mic,
    said: said.mic,
    algorithm: said.algorithm,
    matched: said.mic === mic
  }
}

// Throws unless our signature on the receipt holds.
async function readReceipt (raw) {
  const node = await AS2Parser.parse(raw)
  return node.dispositionIn({ cert: hubCertificate })
}

// Behind a multipart inside multipart/signed, 0.8.2 writes one line end more than it signed, so
// that OpenSSL refuses its signed receipts as we do. What travels is made to be what was signed.
function mended (receipt) {
  return { headers: receipt.headers, body: receipt.body.replace(/--\r\n\r\n--/, '--\r\n--') }
}

// The bytes whose signature libas2 verified: its parsed content has other line ends than those.
function payload (node) {
  const entity = Buffer.from(node.raw, 'utf8')
  const start = entity.indexOf('\r\n\r\n') + 4
  return entity.subarray(start, entity.length - 2).toString('base64')
}

async function take (raw, headers) {
  const node = await AS2Parser.parse(raw)
  if (/multipart\/signed|multipart\/report/i.test(headers['content-type']) &&
      !headers['disposition-notification-to']) {
    const disposition = await node.dispositionIn({ cert: hubCertificate })
    const waiting = receipts[disposition.notification.originalMessageId]
    if (waiting) waiting(disposition)
    return { headers: {}, body: '' }
  }
  const scenario = config.partners[headers['as2-to']]
  const made = await node.dispositionOut({ agreement: agreement(scenario) })
  received[headers['message-id']] = made.contentNode ? payload(made.contentNode) : ''
  const receipt = mended(await made.dispositionNode.buildObject())
  const url = headers['receipt-delivery-option']
  if (!url) return receipt
  setTimeout(() => request(url, receipt.headers, receipt.body).catch(console.error), 100)
  return { headers: {}, body: '' }
}

http.createServer((came, answer) => {
  const parts = []
  came.on('data', part => parts.push(part))
  came.on('end', async () => {
    const body = Buffer.concat(parts)
    try {
      let out = { headers: { 'Content-Type': 'application/json' }, body: '' }
      if (came.url === '/send') out.body = JSON.stringify(await send(JSON.parse(body)))
      else if (came.url === '/received') out.body = JSON.stringify(received)
      else out = await take(whole(came.rawHeaders, body), came.headers)
      answer.writeHead(200, out.headers)
      answer.end(out.body)
    } catch (error) {
      console.error(error)
      answer.writeHead(500, { 'Content-Type': 'text/plain' })
      answer.end(String(error.stack || error))
    }
  })
}).listen(config.port, '127.0.0.1', () => console.log('listening'))
