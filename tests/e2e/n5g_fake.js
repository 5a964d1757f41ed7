// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright (C) 2026 The Weir authors
//
// An HTTP/2 server that gives the answers it was told to give, whatever is asked: clients are tested with it.
//
//   node n5g_fake.js PORT [TLS AS JSON]        TLS: {"key": FILE, "cert": FILE, "ca": FILE}
//
// Each line of standard input sets the answer from then on: {"status": 200, "headers": {...}, "body": "..."}, or
// {"silent": true}, {"reset": true}, {"hangup": true}.  Each line of standard output is a request as it came,
// {"headers": {...}, "tls": ..., "peer": ...}, or {"event": "ready" | "set"}.
'use strict';
const fs = require('fs');
const http2 = require('http2');
const readline = require('readline');

const [port, given] = process.argv.slice(2);
const tls = given ? JSON.parse(given) : null;
let answer = { silent: true };

function say(what) {
	process.stdout.write(JSON.stringify(what) + '\n');
}

function onStream(stream, headers) {
	const socket = stream.session.socket;
	const peer = socket.getPeerCertificate ? (socket.getPeerCertificate().subject || {}).CN : undefined;
	say({ headers, tls: socket.getProtocol ? socket.getProtocol() : null, peer });
	stream.on('error', () => {});
	if (answer.reset)
		stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
	else if (answer.hangup)
		stream.session.destroy();
	else if (!answer.silent) {
		stream.respond(Object.assign({ ':status': answer.status }, answer.headers));
		stream.end(answer.body);
	}
}

for (const name in tls || {})
	tls[name] = fs.readFileSync(tls[name]);
const server = tls ? http2.createSecureServer(Object.assign({ requestCert: Boolean(tls.ca) }, tls))
	: http2.createServer();
server.on('stream', onStream);
server.on('sessionError', () => {});
server.listen(Number(port), '127.0.0.1', () => say({ event: 'ready' }));
readline.createInterface({ input: process.stdin }).on('line', (line) => {
	answer = JSON.parse(line);
	say({ event: 'set' });
}).on('close', () => process.exit(0));
