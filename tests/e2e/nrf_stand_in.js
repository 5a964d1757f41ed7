// SPDX-License-Identifier: AGPL-3.0-or-later
// Copyright (C) 2026 The Weir authors
//
// An NRF as far as a 5G-EIR and an AMF need one (TS 29.510): registration, heartbeats, discovery, access tokens.  It
// looks closely at what it is told, and can be made to forget, refuse, stall and go away.
//
//   node nrf_stand_in.js PORT [OPTIONS AS JSON]
//
// Options: host; key, cert, ca (names of files: TLS, and client certificates of that authority are demanded); timer
// (the heartBeatTimer it gives; 0 gives none); public (where it writes its public key, PEM); kid (of that key);
// onlyArray (an NRF of release 15: it does not know nfServiceList).
// Each line of standard input is a command:
//   {"do": "forget"}                           all who are registered
//   {"do": "answer", "method": "PATCH", "status": 503, "headers": {...}, "body": "...", "times": 1}
//   {"do": "answer"}                           as it should again
//   {"do": "stall"}, {"do": "go on"}           answer nothing; answer again
//   {"do": "goaway"}, {"do": "drop"}           end all connections, in order and not
//   {"do": "timer", "seconds": 1}
//   {"do": "renew"}                            another key
//   {"do": "sign", "claims": {...}, "header": {...}, "as": "nrf" | "stranger" | "none" | "hs256"}
// Each line of standard output is something that happened: {"event": "ready" | "done" | "session" | "closed" |
// "register" | "heartbeat" | "deregister" | "discovery" | "special" | "stalled" | "tls" | "other", ...}; "wrong" lists
// what was not as it should be.
'use strict';
const crypto = require('crypto');
const fs = require('fs');
const http2 = require('http2');
const readline = require('readline');

const [port, given] = process.argv.slice(2);
const options = Object.assign({ host: '127.0.0.1', timer: 1, kid: 'nrf-1' }, JSON.parse(given || '{}'));
const issuer = '0a1b2c3d-0000-4000-8000-00000000000f';
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const instances = new Map();
const sessions = new Set();
let own, stranger, special = null, stalled = false, timer = options.timer;

function say(event, more) {
	process.stdout.write(JSON.stringify(Object.assign({ event }, more)) + '\n');
}

function makeKey() {
	own = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
	if (options.public)
		fs.writeFileSync(options.public, own.publicKey.export({ type: 'spki', format: 'pem' }));
}

// --- tokens (RFC 7515 7.1, RFC 7518 3.4)

const part = (x) => Buffer.from(typeof x === 'string' ? x : JSON.stringify(x)).toString('base64url');

function sign(claims, header, as) {
	const alg = { none: 'none', hs256: 'HS256' }[as] || 'ES256';
	const text = part(Object.assign({ alg, typ: 'JWT', kid: options.kid }, header)) + '.' + part(claims);
	if (as === 'none')
		return text + '.';
	if (as === 'hs256') {
		const secret = own.publicKey.export({ type: 'spki', format: 'pem' });
		return text + '.' + crypto.createHmac('sha256', secret).update(text).digest('base64url');
	}
	const key = as === 'stranger' ? stranger.privateKey : own.privateKey;
	const signature = crypto.sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
	return text + '.' + signature.toString('base64url');
}

function tokenRequest(body) {
	const form = new URLSearchParams(body);
	const scope = form.get('scope') || '';
	const served = [...instances.values()].some((p) => p.nfType === form.get('targetNfType') &&
		isFor(p, form.get('nfType')) && servicesOf(p).some((s) => s.serviceName === scope));
	if (form.get('grant_type') !== 'client_credentials')
		return [400, { error: 'unsupported_grant_type' }];
	if (!served)
		return [400, { error: 'invalid_scope' }];
	const claims = { iss: issuer, sub: form.get('nfInstanceId'), aud: form.get('targetNfType'), scope,
		exp: Math.floor(Date.now() / 1000) + 600 };
	return [200, { access_token: sign(claims, {}, 'nrf'), token_type: 'Bearer', expires_in: 600, scope }];
}

// --- what a profile must be (TS 29.510 6.1.6.2.2, 6.1.6.2.3)

const isInt = (x, low, high) => Number.isInteger(x) && x >= low && x <= high;
const isSet = (x) => Array.isArray(x) && x.length > 0;

function checkService(s, wrong) {
	const need = (condition, text) => { if (!condition) wrong.push('service: ' + text); };
	need(s.serviceInstanceId, 'serviceInstanceId');
	need(s.serviceName === 'n5g-eir-eic', 'serviceName');
	need(isSet(s.versions) && s.versions.every((v) => v.apiVersionInUri === 'v1' &&
		/^1\.\d+\.\d+$/.test(v.apiFullVersion)), 'versions');
	need(['http', 'https'].includes(s.scheme), 'scheme');
	need(s.nfServiceStatus === 'REGISTERED' || s.nfServiceStatus === 'SUSPENDED', 'nfServiceStatus');
	need(isSet(s.ipEndPoints) && s.ipEndPoints.every((e) => (e.ipv4Address || e.ipv6Address) &&
		isInt(e.port, 1, 65535) && e.transport === 'TCP'), 'ipEndPoints');
	need(s.oauth2Required === undefined || typeof s.oauth2Required === 'boolean', 'oauth2Required');
}

function checkProfile(p, id, headers) {
	const wrong = [];
	const need = (condition, text) => { if (!condition) wrong.push(text); };
	need(headers['content-type'] === 'application/json', 'content-type');
	need(headers['user-agent'] === '5G_EIR-' + id, 'user-agent');
	need(uuid.test(id) && p.nfInstanceId === id, 'nfInstanceId');
	need(p.nfType === '5G_EIR', 'nfType');
	need(['REGISTERED', 'SUSPENDED'].includes(p.nfStatus), 'nfStatus');
	need(p.fqdn || isSet(p.ipv4Addresses) || isSet(p.ipv6Addresses), 'no address at all');
	need(p.heartBeatTimer === undefined || isInt(p.heartBeatTimer, 1, 86400), 'heartBeatTimer');
	need(p.plmnList === undefined || (isSet(p.plmnList) && p.plmnList.every((x) => /^\d{3}$/.test(x.mcc) &&
		/^\d{2,3}$/.test(x.mnc))), 'plmnList');
	need(p.allowedNfTypes === undefined || isSet(p.allowedNfTypes), 'allowedNfTypes');
	need(isInt(p.priority, 0, 65535) && isInt(p.capacity, 0, 65535) && isInt(p.load, 0, 100),
		'priority, capacity, load');
	need(isSet(p.nfServices) && p.nfServiceList &&
		Object.keys(p.nfServiceList).length === p.nfServices.length, 'services');
	for (const s of p.nfServices || []) {
		checkService(s, wrong);
		need(JSON.stringify((p.nfServiceList || {})[s.serviceInstanceId]) === JSON.stringify(s),
			'services in two shapes');
	}
	return wrong;
}

function checkPatch(patch, headers) {
	const wrong = headers['content-type'] === 'application/json-patch+json' ? [] : ['content-type'];
	const value = (path) => (patch.find((o) => o.op === 'replace' && o.path === path) || {}).value;
	if (!['REGISTERED', 'SUSPENDED'].includes(value('/nfStatus')))
		wrong.push('/nfStatus');
	if (!isInt(value('/load'), 0, 100))
		wrong.push('/load');
	return wrong;
}

const servicesOf = (p) => options.onlyArray ? p.nfServices : Object.values(p.nfServiceList);
const isFor = (p, type) => !p.allowedNfTypes || p.allowedNfTypes.includes(type);

// --- requests

const problem = (status, cause) => [status, { status, cause, title: cause }, 'application/problem+json'];

function parse(body) {
	try {
		return JSON.parse(body);
	} catch (e) {
		return null;
	}
}

function register(id, headers, body) {
	const p = parse(body) || {};
	const wrong = checkProfile(p, id, headers);
	const status = instances.has(id) ? 200 : 201;
	say('register', { id, status, profile: p, wrong });
	if (wrong.length)
		return problem(400, 'MANDATORY_IE_INCORRECT');
	instances.set(id, p);
	return [status, Object.assign({}, p, { heartBeatTimer: timer || undefined })];
}

function heartbeat(id, headers, body) {
	const patch = parse(body) || [];
	say('heartbeat', { id, known: instances.has(id), patch, wrong: checkPatch(patch, headers) });
	return instances.has(id) ? [204] : problem(404, 'RESOURCE_URI_STRUCTURE_NOT_FOUND');
}

function deregister(id) {
	const known = instances.delete(id);
	say('deregister', { id, known });
	return known ? [204] : problem(404, 'CONTEXT_NOT_FOUND');
}

function discover(query) {
	const found = [...instances.values()].filter((p) => p.nfType === query.get('target-nf-type') &&
		p.nfStatus === 'REGISTERED' && isFor(p, query.get('requester-nf-type')));
	const services = query.get('service-names');
	say('discovery', { found: found.length });
	return [200, { validityPeriod: 60, nfInstances: found.map((p) => Object.assign({}, p, {
		nfServices: undefined, nfServiceList: undefined,
		services: servicesOf(p).filter((s) => !services || s.serviceName === services),
	})) }];
}

function answerTo(method, url, headers, body) {
	const instance = url.pathname.match(/^\/nnrf-nfm\/v1\/nf-instances\/([^/]+)$/);
	const handler = { PUT: register, PATCH: heartbeat, DELETE: deregister }[method];
	if (instance && handler)
		return handler(instance[1], headers, body);
	if (method === 'GET' && url.pathname === '/nnrf-disc/v1/nf-instances')
		return discover(url.searchParams);
	if (method === 'POST' && url.pathname === '/oauth2/token')
		return tokenRequest(body);
	say('other', { method, path: url.pathname });
	return problem(404, 'RESOURCE_URI_STRUCTURE_NOT_FOUND');
}

function takeSpecial(method) {
	if (!special || (special.method && special.method !== method))
		return null;
	const out = special;
	if (special.times !== undefined && --special.times <= 0)
		special = null;
	return out;
}

function respond(stream, status, body, type, more) {
	if (stream.destroyed)
		return;
	const headers = Object.assign({ ':status': status }, body === undefined ? {} : { 'content-type': type ||
		'application/json' }, more);
	stream.respond(headers, { endStream: body === undefined });
	if (body !== undefined)
		stream.end(typeof body === 'string' ? body : JSON.stringify(body));
}

function onStream(stream, headers) {
	let body = '';
	stream.on('error', () => {});
	stream.on('data', (octets) => { body += octets; });
	stream.on('end', () => {
		const method = headers[':method'];
		const other = takeSpecial(method);
		if (stalled) {
			say('stalled', { method });
			return;
		}
		if (other) {
			say('special', { method, status: other.status });
			respond(stream, other.status, other.body, other.type, other.headers);
			return;
		}
		respond(stream, ...answerTo(method, new URL(headers[':path'], 'http://nrf'), headers, body));
	});
}

// --- commands

const commands = {
	forget: () => instances.clear(),
	answer: (c) => { special = c.status ? c : null; },
	stall: () => { stalled = true; },
	'go on': () => { stalled = false; },
	goaway: () => sessions.forEach((s) => s.close()),
	drop: () => sessions.forEach((s) => s.destroy()),
	timer: (c) => { timer = c.seconds; },
	renew: () => makeKey(),
	sign: (c) => ({ token: sign(Object.assign({ iss: issuer }, c.claims), c.header, c.as || 'nrf') }),
};

makeKey();
stranger = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const tls = {};
for (const file of ['key', 'cert', 'ca'])
	if (options[file])
		tls[file] = fs.readFileSync(options[file]);
if (tls.ca)
	Object.assign(tls, { requestCert: true, rejectUnauthorized: true });
const server = options.key ? http2.createSecureServer(tls) : http2.createServer();
server.on('stream', onStream);
server.on('session', (session) => {
	sessions.add(session);
	say('session', { number: sessions.size });
	session.on('error', () => {});
	session.on('close', () => {
		sessions.delete(session);
		say('closed');
	});
});
server.on('sessionError', () => {});
server.on('tlsClientError', (e) => say('tls', { error: e.code || e.message }));
server.listen(Number(port), options.host, () => say('ready', { issuer }));
readline.createInterface({ input: process.stdin }).on('line', (line) => {
	const command = JSON.parse(line);
	say('done', Object.assign({ do: command.do }, commands[command.do](command)));
}).on('close', () => process.exit(0));
