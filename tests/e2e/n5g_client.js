// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright (C) 2026 The Weir authors
//
// Node's HTTP/2 client as an AMF, for tests.  It does what an NF does: many streams at once on one connection, a new
// connection when the other side says goodbye, and what was not processed is asked again there.
//
//   node n5g_client.js http://127.0.0.1:7777 [OPTIONS AS JSON]
//
// Options are those of http2.connect (ca, cert, key are names of files); "retry": false tells of what was not processed
// instead of asking again.  Each line of standard input is a request, or an array of requests that go out in one turn:
//   {"id": 7, "path": "/...", "method": "GET", "headers": {...}, "body": "..."}
// Each line of standard output is an answer in the order they came, or something that happened to a connection:
//   {"id": 7, "status": 200, "headers": {...}, "body": "...", "ms": 0.4, "session": 1, "stream": 3}
//   {"id": 7, "error": "..."}                     no answer
//   {"event": "connect" | "goaway" | "close" | "error", "session": 1, ...}
// At the end of the input it waits for the answers that are under way, closes and ends.
'use strict';
const fs = require('fs');
const http2 = require('http2');
const readline = require('readline');

const [url, given] = process.argv.slice(2);
const options = Object.assign({ retry: true }, JSON.parse(given || '{}'));
for (const file of ['ca', 'cert', 'key'])
	if (options[file])
		options[file] = fs.readFileSync(options[file]);

let session = null;
let sessions = 0;
let underWay = 0;
let inputEnded = false;

function say(what) {
	process.stdout.write(JSON.stringify(what) + '\n');
}

function connect() {
	const number = ++sessions;
	const made = http2.connect(url, options);
	const tell = (event, more) => say(Object.assign({ event, session: number }, more));
	made.number = number;
	made.on('connect', () => {
		const socket = made.socket;
		tell('connect', {
			tls: socket.getProtocol ? socket.getProtocol() : null, alpn: made.alpnProtocol,
			certificate: socket.getPeerCertificate ? socket.getPeerCertificate().serialNumber : null,
		});
	});
	made.on('remoteSettings', (settings) => tell('settings', { settings }));
	made.on('goaway', (code, last, data) => {
		if (session === made)
			session = null;
		tell('goaway', { code, last, data: data ? data.toString() : '' });
	});
	made.on('error', (e) => tell('error', { message: e.message, code: e.code }));
	made.on('close', () => {
		if (session === made)
			session = null;
		tell('close');
		endWhenDone();
	});
	return made;
}

function current() {
	if (!session || session.closed || session.destroyed)
		session = connect();
	return session;
}

// REFUSED_STREAM says "not processed" (RFC 9113 8.7); so does a stream above what GOAWAY names, which Node cancels.
function wasNotProcessed(stream, answered) {
	return !answered && (stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM || stream.id === undefined);
}

function ask(request, attempt) {
	const on = current();
	const began = process.hrtime.bigint();
	const headers = Object.assign({ ':method': request.method || 'GET', ':path': request.path }, request.headers);
	const stream = on.request(headers, { endStream: request.body === undefined });
	let answer = null;
	let body = '';
	let problem = null;
	const done = () => {
		const ms = Number(process.hrtime.bigint() - began) / 1e6;
		if (options.retry && attempt < 50 && wasNotProcessed(stream, answer)) {
			if (session === on)
				session = null;
			setTimeout(ask, 100, request, attempt + 1);
			return;
		}
		if (answer && !problem)
			say({ id: request.id, status: answer[':status'], headers: answer, body, ms, session: on.number,
				stream: stream.id });
		else
			say({ id: request.id, error: problem ? problem.message : 'reset ' + stream.rstCode,
				reset: stream.rstCode, session: on.number, stream: stream.id, attempt });
		underWay--;
		endWhenDone();
	};
	stream.on('response', (h) => { answer = h; });
	stream.on('data', (octets) => { body += octets; });
	stream.on('error', (e) => { problem = e; });
	stream.on('close', done);
	if (request.body !== undefined)
		stream.end(request.body);
}

function endWhenDone() {
	if (inputEnded && !underWay && session)
		session.close();
}

const input = readline.createInterface({ input: process.stdin });
input.on('line', (line) => {
	const requests = [].concat(JSON.parse(line));
	underWay += requests.length;
	for (const request of requests)
		ask(request, 0);
});
input.on('close', () => {
	inputEnded = true;
	endWhenDone();
});
